"""Tasks: labelled spike trains to learn from and to judge by, by name; and labelled series of real numbers."""

from typing import NoReturn as _NoReturn

from surgrad._answers import attribute_error as _attribute_error
from surgrad.tasks._coincidences import coincidences
from surgrad.tasks._cues import delayed_memory, temporal_xor
from surgrad.tasks._dataset import Dataset, Split
from surgrad.tasks._digits import digits
from surgrad.tasks._japanese_vowels import japanese_vowels
from surgrad.tasks._manifolds import manifolds
from surgrad.tasks._mnist import fashion_mnist, mnist
from surgrad.tasks._registry import import_all as _import_all
from surgrad.tasks._registry import load, lookup, names, register
from surgrad.tasks._series import SeriesDataset, SeriesSplit
from surgrad.tasks._ts import read_ts

__all__ = [
    "Dataset",
    "SeriesDataset",
    "SeriesSplit",
    "Split",
    "coincidences",
    "delayed_memory",
    "digits",
    "fashion_mnist",
    "japanese_vowels",
    "load",
    "lookup",
    "manifolds",
    "mnist",
    "names",
    "read_ts",
    "register",
    "temporal_xor",
]

_import_all(__name__, __path__)


def __getattr__(name: str) -> _NoReturn:
    raise _attribute_error(__name__, name, __all__)
