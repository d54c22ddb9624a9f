"""Dtypes and ranks of states and parameters, see `surgrad._dtypes`."""

from surgrad._dtypes import HALF, floating, like, promoted, wide

__all__ = ["HALF", "floating", "like", "promoted", "wide"]
