"""Training of spiking networks on labelled data, with the optimisers of Optax."""

from typing import NoReturn as _NoReturn

from surgrad._answers import attribute_error as _attribute_error
from surgrad._extras import missing as _missing

try:
    import optax as _optax
except ModuleNotFoundError as _error:
    raise ImportError(_missing("surgrad.train", "optax")) from _error

from surgrad.train._checkpoints import Checkpoints
from surgrad.train._classifier import classifier
from surgrad.train._epochs import AfterEpoch
from surgrad.train._fit import Fit, Score, batches, epoch, score, start, step
from surgrad.train._given import Batches, Objective
from surgrad.train._not_finite import NotFiniteError
from surgrad.train._result import FitResult
from surgrad.train._samples import Samples
from surgrad.train._services import MLflow, WandB
from surgrad.train._trackers import CSV, TensorBoard, Tracker
from surgrad.train._train import fit

__all__ = [
    "CSV",
    "AfterEpoch",
    "Batches",
    "Checkpoints",
    "Fit",
    "FitResult",
    "MLflow",
    "NotFiniteError",
    "Objective",
    "Samples",
    "Score",
    "TensorBoard",
    "Tracker",
    "WandB",
    "batches",
    "classifier",
    "epoch",
    "fit",
    "score",
    "start",
    "step",
]


def __getattr__(name: str) -> _NoReturn:
    raise _attribute_error(__name__, name, __all__)
