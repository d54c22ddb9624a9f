"""The laws of surrogates, a family a file; the order of the imports is that of reports."""

from surgrad._laws import mathematics, usage
from surgrad._laws.probe import Probe
from surgrad._laws.table import LAWS

__all__ = ["LAWS", "Probe", "mathematics", "usage"]
