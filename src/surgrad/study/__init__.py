"""Studies: one network trained with many surrogates and seeds."""

try:
    import optax as _optax
except ModuleNotFoundError as _missing:
    raise ImportError('surgrad.study needs Optax: pip install "surgrad[train]"') from _missing

from surgrad.study._rows import Row, Summary, summarise
from surgrad.study._run import families, load, run
from surgrad.study._settings import MAPPINGS, Settings, Variant, at_unit_peak

__all__ = ["MAPPINGS", "Row", "Settings", "Summary", "Variant", "at_unit_peak", "families", "load", "run", "summarise"]
