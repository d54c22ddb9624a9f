"""Worst errors of every surrogate at the golden rows, in units of rounding: `python benchmarks/golden_errors.py`.

Only rows whose condition number is at most 10 enter the columns, since the error of the others is that of their inputs.
The last column is over all rows: the largest error as a fraction of the one that the tests allow.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import surgrad

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from golden_rows import Errors, errors, rows

WELL_CONDITIONED = 10.0
COLUMNS = ["curve", "slope", "second derivative", "parameter derivatives"]


def column(value: str) -> str:
    if value == "sigma":
        return "curve"
    if value in ("grad", "dsigma_d_x"):
        return "slope"  # as itself, and as the derivative of the curve
    return "second derivative" if value == "dgrad_d_x" else "parameter derivatives"


def units(e: Errors, dtype: type) -> np.ndarray:
    """The error at well-conditioned rows in units of rounding of the value, beyond what is flushed to 0."""
    info = np.finfo(dtype)
    known = (e.size > info.tiny / info.eps) & (e.sensitivity <= WELL_CONDITIONED * e.size)
    return e.error[known] / (info.eps * e.size[known])


def line(name: str, dtype: type) -> list[str]:
    worst, fraction = dict.fromkeys(COLUMNS, 0.0), 0.0
    for (value, _), groups in errors(name, dtype).items():
        for e in groups:
            # S2NN's slope leaves out the epsilon of its curve, as the original does: not an error of rounding.
            if (name, value) != ("S2NN", "dsigma_d_x"):
                worst[column(value)] = max(worst[column(value)], *units(e, dtype), 0.0)
            fraction = max(fraction, *(e.error / e.bound))
    count = sum(len(group.x) for group in rows(name))
    return [name, str(count), np.dtype(dtype).name, *(f"{worst[c]:.1f}" for c in COLUMNS), f"{fraction:.2f}"]


def main() -> None:
    """Print a table in Markdown."""
    print("| surrogate | rows | dtype |", " | ".join(COLUMNS), "| of what is allowed |")
    print("|-|-|-|-|-|-|-|-|")
    for name in surgrad.catalogue():
        for dtype in (np.float64, np.float32):
            print("|", " | ".join(line(name, dtype)), "|", flush=True)


if __name__ == "__main__":
    main()
