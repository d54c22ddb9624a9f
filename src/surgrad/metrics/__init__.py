"""Metrics: how well a network classifies, and how far apart spike trains are."""

from typing import NoReturn as _NoReturn

from surgrad._answers import attribute_error as _attribute_error
from surgrad.metrics._activity import firing_rate, silent_fraction
from surgrad.metrics._classification import accuracy, predictions
from surgrad.metrics._distances import van_rossum_distance, victor_purpura_distance

__all__ = [
    "accuracy",
    "firing_rate",
    "predictions",
    "silent_fraction",
    "van_rossum_distance",
    "victor_purpura_distance",
]


def __getattr__(name: str) -> _NoReturn:
    raise _attribute_error(__name__, name, __all__)
