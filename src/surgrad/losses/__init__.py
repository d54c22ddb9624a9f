"""Losses and regularisers of spike trains and membrane potentials."""

from typing import NoReturn as _NoReturn

from surgrad._answers import attribute_error as _attribute_error
from surgrad.losses._cross_entropy import (
    ce_count_loss,
    ce_last_membrane_loss,
    ce_max_membrane_loss,
    ce_mean_membrane_loss,
    ce_rate_loss,
)
from surgrad.losses._regularisers import membrane_bounds, rate_lower_bound, rate_upper_bound
from surgrad.losses._spike_times import ce_temporal_loss, mse_temporal_loss
from surgrad.losses._spike_trains import van_rossum_loss
from surgrad.losses._squared import mse_count_loss, mse_membrane_loss, mse_rate_loss

__all__ = [
    "ce_count_loss",
    "ce_last_membrane_loss",
    "ce_max_membrane_loss",
    "ce_mean_membrane_loss",
    "ce_rate_loss",
    "ce_temporal_loss",
    "membrane_bounds",
    "mse_count_loss",
    "mse_membrane_loss",
    "mse_rate_loss",
    "mse_temporal_loss",
    "rate_lower_bound",
    "rate_upper_bound",
    "van_rossum_loss",
]


def __getattr__(name: str) -> _NoReturn:
    raise _attribute_error(__name__, name, __all__)
