"""Codes: spike trains of intensities, such as the pixels of images."""

from typing import NoReturn as _NoReturn

from surgrad._answers import attribute_error as _attribute_error
from surgrad.encode._latency import latency, latency_steps
from surgrad.encode._rate import rate

__all__ = ["latency", "latency_steps", "rate"]


def __getattr__(name: str) -> _NoReturn:
    raise _attribute_error(__name__, name, __all__)
