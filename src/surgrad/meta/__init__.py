"""Learning the surrogate: calibration before training, tuning beside it, derivatives through it, and diagnosis."""

from surgrad.meta.calibration import Calibration, calibrate
from surgrad.meta.chosen import Chosen
from surgrad.meta.diagnosis import Diagnosis, Layer, diagnose
from surgrad.meta.findings import Finding
from surgrad.meta.population import Training, training
from surgrad.meta.probe import Recording, record, surrogates, with_surrogates
from surgrad.meta.scale import steeper
from surgrad.meta.space import Choice, Range, pick, resolve
from surgrad.meta.tuning import Cost, Rung, Tuned, tune
