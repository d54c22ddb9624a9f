"""JapaneseVowels: speakers told apart by a vowel."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from surgrad.tasks._series import SeriesDataset, SeriesSplit
from surgrad.tasks._ts import read_ts

STEPS = 29
"""Length of the longest recording."""
IN_AEON = Path("datasets", "data", "JapaneseVowels")
"""Where the wheel of aeon, a library of time series, has the files."""


def japanese_vowels(path: str | Path | None = None) -> SeriesSplit:
    """JapaneseVowels (Kudo et al., 1999): 640 recordings of a vowel by 9 speakers; the class is the speaker.

    A recording is a series of 12 cepstrum coefficients of linear prediction, of 7 to 29 time steps; 270 are to train
    on, 30 of each speaker, and 370 to judge by.

    Parameters:
        path: folder of the files `JapaneseVowels_TRAIN.ts` and `JapaneseVowels_TEST.ts`; None for those inside the
            package aeon, which is not imported, so that its own requirements need not be installed.

    Raises:
        FileNotFoundError: a file is missing; the message says how to get it.
        ValueError: a file does not hold what it should.

    Source: M. Kudo, J. Toyama and M. Shimbo (1999), Multidimensional curve classification using passing-through
    regions, Pattern Recognition Letters 20(11–13), 1103–1111.
    """
    folder = _folder_of_aeon() if path is None else Path(path)
    return SeriesSplit(*(_part(folder, part) for part in ("TRAIN", "TEST")))


def _part(folder: Path | None, part: str) -> SeriesDataset:
    name = f"JapaneseVowels_{part}.ts"
    if folder is None or not (folder / name).exists():
        found = "the package aeon, which carries it, is not installed" if folder is None else f"it is not in {folder}"
        raise FileNotFoundError(
            f"japanese_vowels: there is no {name}: {found}. Install it, pip install --no-deps aeon; or take the files "
            f"from timeseriesclassification.com, and give their folder as path."
        )
    return read_ts(folder / name, steps=STEPS)


def _folder_of_aeon() -> Path | None:
    """The folder of the files in the package aeon, or None if it is not installed."""
    spec = importlib.util.find_spec("aeon")  # finds a package without importing it
    places = spec.submodule_search_locations if spec is not None else None
    return Path(places[0]) / IN_AEON if places else None
