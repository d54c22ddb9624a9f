"""The laws of surrogates, a family a file; the order of the imports is that of reports."""

from surgrad._laws import mathematics, usage
from surgrad._laws.probe import NotApplicableError, Probe
from surgrad._laws.table import LAWS, Law, brief

__all__ = ["LAWS", "Law", "NotApplicableError", "Probe", "brief", "mathematics", "usage"]
