"""Codes: spike trains of intensities, such as the pixels of images, and of signals over time; and back."""

from typing import NoReturn as _NoReturn

from surgrad._answers import attribute_error as _attribute_error
from surgrad.encode._change import delta, delta_decode, level_crossing
from surgrad.encode._latency import latency, latency_decode, latency_steps
from surgrad.encode._population import population, population_decode, tuning_curves
from surgrad.encode._rate import rate

__all__ = [
    "delta",
    "delta_decode",
    "latency",
    "latency_decode",
    "latency_steps",
    "level_crossing",
    "population",
    "population_decode",
    "rate",
    "tuning_curves",
]


def __getattr__(name: str) -> _NoReturn:
    raise _attribute_error(__name__, name, __all__)
