"""The Heidelberg data sets: spoken words as spikes of a cochlea model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from surgrad._answers import answers_keywords
from surgrad._kinds import require_choice
from surgrad.events._dataset import EventDataset
from surgrad.events._download import download as fetch
from surgrad.events._download import unpacked
from surgrad.events._hdf5 import Hdf5Recordings

SERVER = "https://zenkelab.org/datasets/"
PUBLISHED = {
    "shd": {"train": "f3252aeb598ac776c1b526422d90eecb", "test": "1503a5064faa34311c398fb0a1ed0a6f"},
    "ssc": {
        "train": "d102be95e7144fcc0553d1f45ba94170",
        "valid": "b4eee3516a4a90dd0c71a6ac23a8ae43",
        "test": "a35ff1e9cffdd02a20eb850c17c37748",
    },
}
"""MD5 checksums of the archives `shd_train.h5.zip` and so on."""
UNITS = 700


@answers_keywords
def read_shd(
    path: str | os.PathLike[str], split: Literal["train", "test"] = "train", *, download: bool = False
) -> EventDataset:
    """The Spiking Heidelberg Digits (Cramer et al., 2022): spoken digits, 700 units, 20 classes, up to 1.4 s.

    Classes 0 to 9 are English, 10 to 19 German. Recordings are read when they are drawn. Needs h5py, `surgrad[data]`.

    Parameters:
        path: folder of `shd_train.h5` and `shd_test.h5`, or of their archives `.h5.gz` or `.h5.zip`, which are unpacked
            beside them once; or one of the `.h5` files.
        split: `"train"` (8156 recordings) or `"test"` (2264).
        download: whether a file that is not there is downloaded from zenkelab.org into the folder, 130 MB or 38 MB. It
            is kept only if its MD5 checksum is the published one.

    Raises:
        FileNotFoundError: the file is not there; the message says how to get it.
        ImportError: h5py is not installed.
        OSError: it cannot be downloaded.
        ValueError: a checksum is another, or a file is broken; the message names the file, and the sample if it is one.
    """
    return _read("read_shd", "shd", path, split, download, 20)


@answers_keywords
def read_ssc(
    path: str | os.PathLike[str], split: Literal["train", "valid", "test"] = "train", *, download: bool = False
) -> EventDataset:
    """The Spiking Speech Commands (Cramer et al., 2022): spoken words, 700 units, 35 classes, about 1 s.

    Recordings are read when they are drawn. Needs h5py, `surgrad[data]`.

    Parameters:
        path: folder of `ssc_train.h5`, `ssc_valid.h5` and `ssc_test.h5`, or of their archives `.h5.gz` or `.h5.zip`,
            which are unpacked beside them once; or one of the `.h5` files.
        split: `"train"` (75,466 recordings), `"valid"` (9981) or `"test"` (20,382).
        download: whether a file that is not there is downloaded from zenkelab.org into the folder. It is kept only if
            its MD5 checksum is the published one.

    Raises:
        FileNotFoundError: the file is not there; the message says how to get it.
        ImportError: h5py is not installed.
        OSError: it cannot be downloaded.
        ValueError: a checksum is another, or a file is broken; the message names the file, and the sample if it is one.
    """
    return _read("read_ssc", "ssc", path, split, download, 35)


def _read(
    where: str, name: str, path: str | os.PathLike[str], split: str, download: bool, classes: int
) -> EventDataset:
    require_choice(where, "split", split, tuple(PUBLISHED[name]))
    recordings = Hdf5Recordings(_file(where, name, Path(path), split, download), UNITS, "s", sort=True)
    if recordings.labels is None:
        raise ValueError(f"{recordings.path}: there is no array 'labels'.")
    return EventDataset(recordings, recordings.labels, num_units=UNITS, classes=classes)


def _file(where: str, name: str, path: Path, split: str, download: bool) -> Path:
    if path.suffix == ".h5":
        return path
    file = path / f"{name}_{split}.h5"
    archive = f"{file.name}.zip"
    if download and not any(file.with_name(file.name + ending).exists() for ending in ("", ".gz", ".zip")):
        fetch(SERVER + archive, file.with_name(archive), PUBLISHED[name][split])
    try:
        return unpacked(file)
    except FileNotFoundError as absent:
        raise FileNotFoundError(
            f"{where}: {absent} Get it with download=True, or from {SERVER}{archive} by hand."
        ) from absent
