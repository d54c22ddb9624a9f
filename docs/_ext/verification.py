"""The table of the ledger's page that says where each surrogate comes from, and what its formula was compared with."""

from __future__ import annotations

import re
from typing import Any

import bibliography

import surgrad

GOLDEN = "::test_values_derivatives_and_limits_agree_with_the_golden_rows"
HEAD = """
Where each surrogate comes from, and what was read and compared besides its publications. The worst error is that of all
values and derivatives at all golden rows, in single and in double precision, as a share of what rounding may do: 1 is
the most that passes. The rows are computed with mpmath, from the formulas as they are published; laws are those of
:py:obj:`surgrad.check`, and tags those of :py:obj:`surgrad.catalogue`.
"""
Row = dict[str, Any]


def classes() -> list[type[surgrad.Surrogate]]:
    """The surrogates of the catalogue, and the one that is none since its constructor needs a surrogate and a key."""
    return [*surgrad.catalogue().values(), surgrad.HybridSpike]


def table(rows: list[Row]) -> list[str]:
    """The lines of the table in reStructuredText, from the rows of the ledger."""
    lines = ["Sources of the surrogates", "-------------------------", *HEAD.splitlines(), ""]
    lines += [".. list-table::", "   :header-rows: 1", "   :widths: 18 34 10 14 24", ""]
    head = ["surrogate", "source, and compared with", "worst golden error", "tags", "laws waived, and why"]
    for row in [head, *(cells(kind, rows) for kind in classes())]:
        lines += [f"   {'* ' if i == 0 else '  '}- {cell}".rstrip() for i, cell in enumerate(row)]
    return [*lines, ""]


def cells(kind: type[surgrad.Surrogate], rows: list[Row]) -> list[str]:
    """One row of the table."""
    error = worst(kind, rows)
    sources = ", ".join(f":ref:`{short(key)} <{key}>`" for key in kind.references)
    waived = "; ".join(f"``{law}``: {bibliography.plain(reason)}" for law, reason in kind.waivers.items())
    return [
        f":py:obj:`{kind.__name__} <surgrad.{kind.__name__}>`",
        f"{sources}; {literals(kind.verified)}",
        "" if error is None else f"{error:.2g}",
        ", ".join(sorted(kind.tags)),
        waived,
    ]


def worst(kind: type[surgrad.Surrogate], rows: list[Row]) -> float | None:
    """The largest error at the golden rows in any dtype; None for a class without rows."""
    name = f"{kind.__module__}:{kind.__qualname__}"
    return max((row["error"] for row in rows if row["object"] == name and row["test"].endswith(GOLDEN)), default=None)


def short(key: str) -> str:
    """`zenke2018superspike` as `Zenke 2018`."""
    author, year = re.match(r"([a-z]+)(\d{4})", key).groups()  # type: ignore[union-attr]
    return f"{author.capitalize()} {year}"


def literals(text: str) -> str:
    """Text whose code stands between single backticks, in reStructuredText."""
    return re.sub(r"`([^`]+)`", r"``\1``", text)
