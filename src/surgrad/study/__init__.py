"""Studies: one kind of network, trained with many surrogates and seeds."""

from typing import NoReturn as _NoReturn

from surgrad._answers import attribute_error as _attribute_error
from surgrad._extras import missing as _missing

try:
    import optax as _optax
except ModuleNotFoundError as _error:
    raise ImportError(_missing("surgrad.study", "optax")) from _error

from surgrad.study._rows import Row, Summary, summarise
from surgrad.study._run import families, load, run
from surgrad.study._settings import Settings, Variant, at_unit_peak

__all__ = ["Row", "Settings", "Summary", "Variant", "at_unit_peak", "families", "load", "run", "summarise"]


def __getattr__(name: str) -> _NoReturn:
    raise _attribute_error(__name__, name, __all__)
