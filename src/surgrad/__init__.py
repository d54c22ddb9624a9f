"""Surrogate gradients for spiking neural networks in JAX."""

import importlib as _importlib
from typing import Any as _Any

from surgrad._answers import attribute_error as _attribute_error
from surgrad._catalogue import catalogue, functional
from surgrad._check.report import Report
from surgrad._check.runner import check
from surgrad._chosen import Chosen
from surgrad._cite import cite
from surgrad._combine import Asymmetric, Mixture, Normalized, Shift, Sparse, Temperature
from surgrad._convert import Counterpart, Lookup, convert, lookup
from surgrad._files import load, save
from surgrad._from_function import from_fun, from_grad
from surgrad._hybrid import HybridSpike
from surgrad._measures import area, height, width
from surgrad._pytree import StaleSurrogateWarning, static
from surgrad._scaled import Scaled
from surgrad._surrogate import Surrogate, parameter
from surgrad._surrogates.bump import (
    FastSigmoid,
    GaussianGrad,
    InvSquareGrad,
    MultiGaussianGrad,
    SlayerGrad,
    SuperSpike,
    fast_sigmoid,
    gaussian_grad,
    inv_square_grad,
    multi_gaussian_grad,
    slayer_grad,
    super_spike,
)
from surgrad._surrogates.densities import Cauchy, Circ, Tanh, cauchy, circ, tanh
from surgrad._surrogates.dspike import Dspike, dspike
from surgrad._surrogates.exponential import (
    PeriodicExponential,
    Slayer,
    SpikeRateEscape,
    periodic_exponential,
    slayer,
    spike_rate_escape,
)
from surgrad._surrogates.fourier import SquarewaveFourierSeries, squarewave_fourier_series
from surgrad._surrogates.lines import (
    LeakySpikeOperator,
    NumericalGradient,
    StepPiecewiseLinear,
    StraightThrough,
    leaky_spike_operator,
    numerical_gradient,
    step_piecewise_linear,
    straight_through,
)
from surgrad._surrogates.literature import S2NN, QPseudoSpike, q_pseudo_spike, s2nn
from surgrad._surrogates.relu import (
    LeakyRelu,
    LogTailedRelu,
    PiecewiseLeakyRelu,
    ReluGrad,
    leaky_relu,
    log_tailed_relu,
    piecewise_leaky_relu,
    relu_grad,
)
from surgrad._surrogates.sigmoidal import (
    ERF,
    Arctan,
    NonzeroSignLog,
    PiecewiseExp,
    PiecewiseQuadratic,
    Sigmoid,
    SoftSign,
    arctan,
    erf,
    nonzero_sign_log,
    piecewise_exp,
    piecewise_quadratic,
    sigmoid,
    soft_sign,
)
from surgrad._surrogates.stochastic import StochasticSpikeOperator, stochastic_spike_operator
from surgrad._surrogates.window import (
    ZIF,
    Boxcar,
    ClippedStraightThrough,
    SparseFastSigmoid,
    Triangle,
    boxcar,
    clipped_straight_through,
    sparse_fast_sigmoid,
    triangle,
    zif,
)

__version__ = "0.1.0"

__all__ = [
    "ERF",
    "S2NN",
    "ZIF",
    "Arctan",
    "Asymmetric",
    "Boxcar",
    "Cauchy",
    "Chosen",
    "Circ",
    "ClippedStraightThrough",
    "Counterpart",
    "Dspike",
    "FastSigmoid",
    "GaussianGrad",
    "HybridSpike",
    "InvSquareGrad",
    "LeakyRelu",
    "LeakySpikeOperator",
    "LogTailedRelu",
    "Lookup",
    "Mixture",
    "MultiGaussianGrad",
    "NonzeroSignLog",
    "Normalized",
    "NumericalGradient",
    "PeriodicExponential",
    "PiecewiseExp",
    "PiecewiseLeakyRelu",
    "PiecewiseQuadratic",
    "QPseudoSpike",
    "ReluGrad",
    "Report",
    "Scaled",
    "Shift",
    "Sigmoid",
    "Slayer",
    "SlayerGrad",
    "SoftSign",
    "Sparse",
    "SparseFastSigmoid",
    "SpikeRateEscape",
    "SquarewaveFourierSeries",
    "StaleSurrogateWarning",
    "StepPiecewiseLinear",
    "StochasticSpikeOperator",
    "StraightThrough",
    "SuperSpike",
    "Surrogate",
    "Tanh",
    "Temperature",
    "Triangle",
    "arctan",
    "area",
    "boxcar",
    "catalogue",
    "cauchy",
    "check",
    "circ",
    "cite",
    "clipped_straight_through",
    "convert",
    "dspike",
    "erf",
    "fast_sigmoid",
    "from_fun",
    "from_grad",
    "functional",
    "gaussian_grad",
    "height",
    "inv_square_grad",
    "leaky_relu",
    "leaky_spike_operator",
    "load",
    "log_tailed_relu",
    "lookup",
    "multi_gaussian_grad",
    "nonzero_sign_log",
    "numerical_gradient",
    "parameter",
    "periodic_exponential",
    "piecewise_exp",
    "piecewise_leaky_relu",
    "piecewise_quadratic",
    "q_pseudo_spike",
    "relu_grad",
    "s2nn",
    "save",
    "sigmoid",
    "slayer",
    "slayer_grad",
    "soft_sign",
    "sparse_fast_sigmoid",
    "spike_rate_escape",
    "squarewave_fourier_series",
    "static",
    "step_piecewise_linear",
    "stochastic_spike_operator",
    "straight_through",
    "super_spike",
    "tanh",
    "triangle",
    "width",
    "zif",
]

_PACKAGES = (
    "adapters",
    "encode",
    "events",
    "explore",
    "losses",
    "meta",
    "metrics",
    "nn",
    "plot",
    "study",
    "tasks",
    "train",
)


def __getattr__(name: str) -> _Any:
    """Import a package of this library when it is first asked for."""
    if name in _PACKAGES:
        return _importlib.import_module(f"{__name__}.{name}")
    raise _attribute_error(__name__, name, [*__all__, *_PACKAGES])
