"""Handwritten digits of scikit-learn."""

from __future__ import annotations

import numpy as np

from surgrad._extras import missing
from surgrad.tasks._codes import events, require_code
from surgrad.tasks._dataset import Split, dataset, require_split, split
from surgrad.tasks._registry import register


@register
def digits(*, steps: int = 25, code: str = "latency", seed: int = 0, test_share: float = 0.2) -> Split:
    """The 1,797 handwritten digits of 8 x 8 pixels that come with scikit-learn, as spikes of 64 channels.

    Parameters:
        steps: length of a sample in time steps, >= 1.
        code: `"latency"`: a pixel of brightness p of 16 spikes once, at time step round((1 - p/16)(steps - 1)), or
            never if p = 0. `"rate"`: it spikes at each time step with probability p/16. `"intensity"`: p/16 itself;
            `data.train[batch].spikes(key)` then draws spikes of the rate code anew for each batch.
        seed: seed of the split into training and test samples, and of the spikes of the rate code.
        test_share: share of the samples that are held out, from 0 to below 1.

    Raises:
        ImportError: scikit-learn is not installed.
        ValueError: an option is out of range.
    """
    require_code("digits", code, steps)
    require_split("digits", seed, test_share)
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise ImportError(missing("the task digits", "sklearn")) from error
    random = np.random.default_rng(seed)
    images, labels = map(np.asarray, load_digits(return_X_y=True))  # its types allow for tables of pandas
    return split(dataset(events(images / 16, code, steps, random), labels, steps, 10), random, test_share)
