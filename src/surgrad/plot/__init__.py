"""Pictures: surrogates, studies, and what networks do.

Every function but `colour_of` returns a new Matplotlib figure, made without pyplot and without a change of settings.
A notebook shows it, and `figure.savefig("picture.png")` saves it, which is what a script does, since no window opens. A
class of surrogates has the same colour in every picture, that of `colour_of`, out of the colours of `PALETTE`, which
colour-blind people can tell apart.
"""

from typing import NoReturn as _NoReturn

from surgrad._answers import attribute_error as _attribute_error
from surgrad._extras import missing

try:
    import matplotlib
except ImportError as _error:
    raise ImportError(missing("surgrad.plot", "matplotlib")) from _error

from surgrad._colours import PALETTE, colour_of
from surgrad.plot._activity import membrane, network, raster
from surgrad.plot._rates import firing_rates, histogram
from surgrad.plot._results import diagnosis, study
from surgrad.plot._surrogates import compare, gallery, surrogate, sweep
from surgrad.plot._training import training

__all__ = [
    "PALETTE",
    "colour_of",
    "compare",
    "diagnosis",
    "firing_rates",
    "gallery",
    "histogram",
    "membrane",
    "network",
    "raster",
    "study",
    "surrogate",
    "sweep",
    "training",
]


def __getattr__(name: str) -> _NoReturn:
    raise _attribute_error(__name__, name, __all__)
