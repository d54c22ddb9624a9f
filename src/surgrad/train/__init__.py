"""Training of spiking networks on labelled data, with the optimisers of Optax."""

try:
    import optax as _optax
except ModuleNotFoundError as _missing:
    raise ImportError('surgrad.train needs Optax: pip install "surgrad[train]"') from _missing

from surgrad.train._classifier import classifier
from surgrad.train._fit import Fit, Score, batches, epoch, score, start, step

__all__ = ["Fit", "Score", "batches", "classifier", "epoch", "score", "start", "step"]
