"""Data sets as spikes, by name."""

from surgrad.tasks._cues import delayed_memory, temporal_xor
from surgrad.tasks._dataset import Dataset, Split
from surgrad.tasks._digits import digits
from surgrad.tasks._manifolds import manifolds
from surgrad.tasks._mnist import fashion_mnist, mnist
from surgrad.tasks._registry import load, lookup, names

__all__ = [
    "Dataset",
    "Split",
    "delayed_memory",
    "digits",
    "fashion_mnist",
    "load",
    "lookup",
    "manifolds",
    "mnist",
    "names",
    "temporal_xor",
]
