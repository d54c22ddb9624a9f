"""The ledger of fidelity: what is compared with something that is not our code, and how large the error was.

`agrees` asserts that values are those of a reference, as `np.testing.assert_allclose` does, and `record` that one error
is within its tolerance. Both write a line to the file that the environment variable SURGRAD_LEDGER names, if there is
one: `python tools/ledger.py` runs the tests with it, and writes docs/reference/ledger.json.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

VARIABLE = "SURGRAD_LEDGER"
CLOSED_FORM = "closed form"


def package(name: str) -> str:
    """A package as a reference, with the version that is installed."""
    return f"{name} {importlib.metadata.version(name)}"


def agrees(found: Any, exact: Any, *, of: Any, reference: str, rtol: float = 0.0, atol: float = 0.0) -> None:
    """Assert |found - exact| <= `atol` + `rtol` |exact|, and record the largest error.

    Parameters:
        found: values of an object of ours.
        exact: those of the reference.
        of: the object, its class or the function.
        reference: what the exact values come from.
        `rtol`, `atol`: as those of `np.testing.assert_allclose`; both 0 mean equality.
    """
    np.testing.assert_allclose(found, exact, rtol=rtol, atol=atol)
    found, exact = np.broadcast_arrays(np.asarray(found, float), np.asarray(exact, float))
    same = (found == exact) | (np.isnan(found) & np.isnan(exact))
    off = np.where(same, 0, np.abs(found - exact))
    if rtol:
        off = np.divide(off, np.abs(exact) + atol / rtol, out=np.zeros_like(off), where=~same)
    largest = float(off.max(initial=0))
    record(of, reference, largest, rtol or atol, "relative" if rtol else "absolute", rounding=1e-9)


def record(
    of: Any, reference: str, error: float, tolerance: float, measure: str, *, dtype: str = "", rounding: float = 0.0
) -> None:
    """Assert that an error is within its tolerance, and record it.

    Parameters:
        of, reference: as of `agrees`.
        error, tolerance: in units of `measure`.
        measure: what the two are: relative, absolute, ms, ...
        dtype: of the values, where one object is checked in several.
        rounding: share of the tolerance by which rounding of the error itself may be above it.
    """
    assert error <= tolerance * (1 + rounding)
    if VARIABLE in os.environ:
        kind = of if inspect.isclass(of) or inspect.isroutine(of) else type(of)
        row = {
            "object": f"{kind.__module__}:{kind.__qualname__}",
            "reference": reference,
            "dtype": dtype,
            "measure": measure,
            "tolerance": tolerance,
            "error": float(f"{error:.1e}"),
            "test": os.environ["PYTEST_CURRENT_TEST"].partition(" ")[0].partition("[")[0],
        }
        with Path(os.environ[VARIABLE]).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
