"""Learning the surrogate: calibration before training, tuning beside it, derivatives through it, and diagnosis."""

from surgrad._bijectors import Bijector, free, interval, positive, unconstrained
from surgrad.meta.adaptive import (
    HybridSpike,
    adapt_temperature,
    finite_differences,
    follow_membranes,
    hybrid,
    predicted_width,
)
from surgrad.meta.calibration import Calibration, calibrate, default_target
from surgrad.meta.chosen import Chosen
from surgrad.meta.diagnosis import Diagnosis, Layer, diagnose
from surgrad.meta.exact import exact
from surgrad.meta.explosion import ExplodingHypergradientWarning, Hypergradient, HypergradientDiagnosis
from surgrad.meta.findings import Finding
from surgrad.meta.horizon import Horizon, horizon
from surgrad.meta.hypergradient import hypergradient
from surgrad.meta.loop import Trained, train
from surgrad.meta.population import Training, training
from surgrad.meta.probe import Recording, record, surrogates, with_surrogates
from surgrad.meta.scale import steeper
from surgrad.meta.schedule import schedule
from surgrad.meta.space import Choice, Range, pick, resolve
from surgrad.meta.tuning import Cost, Rung, Tuned, tune
