"""MNIST, and data sets in the same file format."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from surgrad._numbers import require_whole
from surgrad.tasks._codes import events, require_code
from surgrad.tasks._dataset import Dataset, Split, dataset
from surgrad.tasks._registry import register

DEBIAN = "/usr/share/datasets/fashion-mnist"
"""Where Debian's package `dataset-fashion-mnist` puts its files."""


@register
def mnist(
    path: str | Path, *, steps: int = 25, code: str = "latency", limit: int | None = None, seed: int = 0
) -> Split:
    """Grey images in the file format of MNIST as spikes, with one channel for each pixel.

    Parameters:
        path: folder of the four files `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte`
            and `t10k-labels-idx1-ubyte`, compressed (`.gz`) or not.
        steps: length of a sample in time steps, >= 1.
        code: `"latency"`: a pixel of brightness p of 255 spikes once, at time step round((1 - p/255)(steps - 1)), or
            never if p = 0. `"rate"`: it spikes at each time step with probability p/255. `"intensity"`: p/255 itself;
            `data.train[batch].spikes(key)` then draws spikes of the rate code anew for each batch.
        limit: number of samples to use of each part, training and test, chosen by the seed; None for all. A sample of
            28 x 28 pixels takes 784 bytes as latencies, and `steps` times as many in the rate code.
        seed: seed of the order of the samples, and of the spikes of the rate code.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file does not hold what it should, or an option is out of range.
    """
    require_code("mnist", code, steps)
    require_whole("mnist", 0, seed=seed)
    if limit is not None:
        require_whole("mnist", limit=limit)
    folder, random = Path(path), np.random.default_rng(seed)
    return Split(*(_part(folder, part, steps, code, limit, random) for part in ("train", "t10k")))


@register
def fashion_mnist(
    path: str | Path = DEBIAN, *, steps: int = 25, code: str = "latency", limit: int | None = None, seed: int = 0
) -> Split:
    """Fashion-MNIST (Xiao et al., 2017): 70,000 grey images of 28 x 28 pixels, 10 kinds of clothes; see `mnist`.

    Raises:
        FileNotFoundError: the files are not there; the message says how to get them.
    """
    try:
        return mnist(path, steps=steps, code=code, limit=limit, seed=seed)
    except FileNotFoundError as missing:
        raise FileNotFoundError(
            f"fashion_mnist: {missing.args[0]} On Debian and Ubuntu: apt-get install dataset-fashion-mnist. Elsewhere: "
            f"take the four files of github.com/zalandoresearch/fashion-mnist, and give their folder as path."
        ) from missing


def read_idx(path: Path) -> np.ndarray:
    """The array in a file of the IDX format of MNIST: 0, 0, 8, number of axes, their lengths, bytes.

    Raises:
        FileNotFoundError: there is no such file, compressed or not.
        ValueError: the file has another format, numbers other than bytes, or not the length that it states.
    """
    content = _content(path)
    begin = 4 + 4 * int.from_bytes(content[3:4])
    if content[:3] != b"\x00\x00\x08" or len(content) < begin:
        raise ValueError(f"{path}: not bytes in the IDX format; it begins with '{content[:16].hex(' ')}'.")
    shape = tuple(int(length) for length in np.frombuffer(content[4:begin], ">u4"))
    if len(content) != begin + math.prod(shape):
        raise ValueError(f"{path}: should hold {shape} bytes, has {len(content) - begin}; it may be cut off.")
    return np.frombuffer(content, np.uint8, offset=begin).reshape(shape)


def _content(path: Path) -> bytes:
    packed = path.with_name(f"{path.name}.gz")
    if path.exists():
        return path.read_bytes()
    if not packed.exists():
        raise FileNotFoundError(f"there is no {path.name}, with or without .gz, in {path.parent}.")
    try:
        return gzip.decompress(packed.read_bytes())
    except (gzip.BadGzipFile, EOFError, zlib.error) as broken:
        raise ValueError(f"{packed}: cannot be unpacked ({broken}); it may be cut off.") from broken


def _part(folder: Path, part: str, steps: int, code: str, limit: int | None, random: np.random.Generator) -> Dataset:
    images, labels = read_idx(folder / f"{part}-images-idx3-ubyte"), read_idx(folder / f"{part}-labels-idx1-ubyte")
    if len(images) != len(labels):
        raise ValueError(f"{folder}: {part} has {len(images)} images and {len(labels)} labels.")
    some = random.permutation(len(labels))[:limit]
    pixels = images.reshape(len(images), -1)[some] / np.float32(255)
    return dataset(events(pixels, code, steps, random), labels[some], steps, int(labels.max()) + 1)
