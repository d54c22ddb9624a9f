"""Handwritten digits."""

from __future__ import annotations

from surgrad.tasks.dataset import Split, split


def digits(*, steps: int = 25, seed: int = 0, test_share: float = 0.2) -> Split:
    """The 1,797 handwritten digits of 8 x 8 pixels that come with scikit-learn, as spike latencies.

    Each of the 64 pixels spikes once, earlier when it is brighter, and never when it is dark: a pixel of
    brightness p of 16 at step round((1 - p/16)(steps - 1)).

    Parameters:
        steps: length of a sample, in steps, >= 1.
        seed: of the split in samples to train and to test.
        test_share: share of the samples that are held out.

    Raises:
        ImportError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as missing:
        raise ImportError('digits come with scikit-learn: pip install "surgrad[data]"') from missing
    images, labels = load_digits(return_X_y=True)
    return split(images / 16, labels, steps=steps, seed=seed, test_share=test_share)
