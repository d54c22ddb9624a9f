"""Learning and choosing surrogates: gradients through training, search beside it, and a look inside networks.

Three wings: gradients (`inner_loop`, `hypergradient` and its methods, `horizon`, `schedule`), search (`tune` and its
methods, spaces), and inspection (`calibrate`, `diagnose`, `record`, surrogates that follow the membranes).
"""

from typing import NoReturn as _NoReturn

from surgrad._answers import attribute_error as _attribute_error
from surgrad._extras import missing as _missing

try:
    import optax as _optax
except ModuleNotFoundError as _error:
    raise ImportError(_missing("surgrad.meta", "optax")) from _error

from surgrad._bijectors import Bijector, free, interval, positive, unconstrained
from surgrad._chosen import Chosen
from surgrad._convention import exact
from surgrad._hybrid import HybridSpike
from surgrad.meta._gradients.evolution import Evolution
from surgrad.meta._gradients.explosion import ExplodingHypergradientWarning
from surgrad.meta._gradients.forward import Forward
from surgrad.meta._gradients.horizon import Horizon, horizon
from surgrad.meta._gradients.hypergradient import hypergradient
from surgrad.meta._gradients.inner_loop import InnerLoop, inner_loop
from surgrad.meta._gradients.method import HypergradientMethod
from surgrad.meta._gradients.persistent import PersistentEvolution
from surgrad.meta._gradients.problem import Problem
from surgrad.meta._gradients.result import Hypergradient, HypergradientDiagnosis
from surgrad.meta._gradients.reverse import Reverse
from surgrad.meta._gradients.schedule import schedule
from surgrad.meta._gradients.truncated import Truncated
from surgrad.meta._inspection.adaptive import (
    adapt_temperature,
    finite_differences,
    follow_membranes,
    hybrid,
    predicted_width,
)
from surgrad.meta._inspection.beginnings import ikun, initial_membrane
from surgrad.meta._inspection.calibration import Calibration, calibrate, default_target
from surgrad.meta._inspection.diagnosis import Diagnosis, diagnose
from surgrad.meta._inspection.findings import Finding
from surgrad.meta._inspection.layer import Layer
from surgrad.meta._inspection.recording import Recording, record, surrogates, with_surrogates
from surgrad.meta._inspection.threshold_robust import ThresholdRobust
from surgrad.meta._search.halving import Halving
from surgrad.meta._search.method import Rung, Search, SearchMethod
from surgrad.meta._search.optuna import Optuna
from surgrad.meta._search.space import Choice, Dimension, LogRange, Range, pick, resolve
from surgrad.meta._search.training import Training
from surgrad.meta._search.tuning import Cost, Tuning, tune

__all__ = [
    "Bijector",
    "Calibration",
    "Choice",
    "Chosen",
    "Cost",
    "Diagnosis",
    "Dimension",
    "Evolution",
    "ExplodingHypergradientWarning",
    "Finding",
    "Forward",
    "Halving",
    "Horizon",
    "HybridSpike",
    "Hypergradient",
    "HypergradientDiagnosis",
    "HypergradientMethod",
    "InnerLoop",
    "Layer",
    "LogRange",
    "Optuna",
    "PersistentEvolution",
    "Problem",
    "Range",
    "Recording",
    "Reverse",
    "Rung",
    "Search",
    "SearchMethod",
    "ThresholdRobust",
    "Training",
    "Truncated",
    "Tuning",
    "adapt_temperature",
    "calibrate",
    "default_target",
    "diagnose",
    "exact",
    "finite_differences",
    "follow_membranes",
    "free",
    "horizon",
    "hybrid",
    "hypergradient",
    "ikun",
    "initial_membrane",
    "inner_loop",
    "interval",
    "pick",
    "positive",
    "predicted_width",
    "record",
    "resolve",
    "schedule",
    "surrogates",
    "tune",
    "unconstrained",
    "with_surrogates",
]


def __getattr__(name: str) -> _NoReturn:
    raise _attribute_error(__name__, name, __all__)
