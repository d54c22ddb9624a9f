"""Studies: networks trained with many surrogates and seeds, kept in a table that survives interruptions."""

from typing import NoReturn as _NoReturn

from surgrad._answers import attribute_error as _attribute_error
from surgrad._extras import missing as _missing

try:
    import optax as _optax
except ModuleNotFoundError as _error:
    raise ImportError(_missing("surgrad.study", "optax")) from _error

from surgrad.study._comparison import Comparison, compare
from surgrad.study._rows import Row, Summary, summarise
from surgrad.study._run import families, load, run
from surgrad.study._settings import Settings, Variant, at_unit_peak, scaled
from surgrad.study._stored import Stored, read
from surgrad.study._study import Run, Study
from surgrad.study._workers import prepare, work

__all__ = [
    "Comparison",
    "Row",
    "Run",
    "Settings",
    "Stored",
    "Study",
    "Summary",
    "Variant",
    "at_unit_peak",
    "compare",
    "families",
    "load",
    "prepare",
    "read",
    "run",
    "scaled",
    "summarise",
    "work",
]


def __getattr__(name: str) -> _NoReturn:
    raise _attribute_error(__name__, name, __all__)
