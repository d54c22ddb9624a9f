"""The golden rows: their values by our surrogates, and the error that each value may have.

A value f of inputs t (x and the hyperparameters) may be off by `eps * (ROUNDINGS * |f| + INPUTS * Σ |t ∂f/∂t|)`: some
roundings of the result, and some of the inputs and of intermediate results such as αx, carried through the condition
number Σ |t ∂f/∂t| / |f|. Where the condition number is below 23 that is at most 100 units of rounding.
"""

from __future__ import annotations

import csv
import functools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import surgrad

FOLDER = Path(__file__).parent / "golden"
HUGE = Path(__file__).parent / "golden_huge"
METHODS = {"sigma": "surrogate_fun", "grad": "surrogate_grad"}
ROUNDINGS, INPUTS = 8.0, 4.0
RESOLUTION = 1e-57
"""The reference was computed with 60 digits: beside 1 it does not see |x| below this."""

Values = dict[str, np.ndarray]


class Rows(NamedTuple):
    """Rows of one surrogate that differ in numbers alone, so that one compiled function takes them all."""

    surrogate: Any
    x: np.ndarray
    columns: Values

    def inputs(self) -> Values:
        leaves = jax.tree.leaves(self.surrogate)
        return dict(zip(leaf_names(self.surrogate), leaves, strict=True)) | {"x": self.x}

    def derivatives(self, f: str) -> Values:
        """∂f/∂t of curve or slope by all inputs t."""
        return {t: self.columns[f"d{f}_d_{t}"] for t in self.inputs()}


def family(name: str) -> str:
    """The name of the class that has the formulas of a surrogate: its own, or the one that it derives from."""
    return next(cls.__name__ for cls in surgrad.catalogue()[name].__mro__ if "surrogate_grad" in vars(cls))


@functools.cache
def rows(name: str, folder: Path = FOLDER) -> list[Rows]:
    """The golden rows of a surrogate's family, with hyperparameters stacked row by row."""
    with (folder / f"{family(name)}.csv").open() as file:
        lines = list(csv.DictReader(file))
    surrogates = [surgrad.catalogue()[name](**json.loads(line["params"])) for line in lines]
    structures = [jax.tree.structure(s) for s in surrogates]
    groups = [[i for i, s in enumerate(structures) if s == one] for one in dict.fromkeys(structures)]
    return [_stacked([lines[i] for i in group], [surrogates[i] for i in group]) for group in groups]


def _stacked(lines: list[dict[str, str]], surrogates: list[Any]) -> Rows:
    columns = {k: np.array([float(line[k] or "nan") for line in lines]) for k in lines[0] if k != "params"}
    # Where the slope is not the curve's derivative, that has a column of its own.
    columns = {"dgrad_d_x": columns["grad2"], "dsigma_d_x": columns["grad"]} | columns
    return Rows(jax.tree.map(lambda *leaves: np.array(leaves), *surrogates), columns["x"], columns)


def leaf_names(surrogate: Any) -> list[str]:
    """The names of the hyperparameters, in the order of the leaves."""
    return [path[-1].name for path, _ in jax.tree_util.tree_leaves_with_path(surrogate)]


def _gradients(surrogate: Any, x: Any) -> dict[str, Any]:
    """Derivatives of curve and slope in reverse mode: of sums, since each row has hyperparameters of its own."""
    found = {}
    for f, method in METHODS.items():
        tree, by_x = jax.grad(lambda s, x, m=method: getattr(s, m)(x).sum(), (0, 1))(surrogate, x)
        by = dict(zip(leaf_names(surrogate), jax.tree.leaves(tree), strict=True)) | {"x": by_x}
        found |= {f"d{f}_d_{t}": d for t, d in by.items()}
    return found


def _by_each_input(function: Callable[..., Any], surrogate: Any, x: Any) -> dict[str, dict[str, Any]]:
    """Derivatives of all that a function returns by each input, in forward mode."""
    leaves, structure = jax.tree.flatten((surrogate, x))
    unit = jnp.broadcast_to(jnp.eye(len(leaves))[:, :, None], (len(leaves), len(leaves), len(x)))
    tangents = structure.unflatten([unit[:, i].astype(leaf.dtype) for i, leaf in enumerate(leaves)])
    by = jax.vmap(lambda t: jax.jvp(function, (surrogate, x), t)[1])(tangents)
    return {f: dict(zip([*leaf_names(surrogate), "x"], rows, strict=True)) for f, rows in by.items()}


@jax.jit
def evaluated(surrogate: Any, x: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """All values at all rows, under the names of the columns; derivatives in forward, then in reverse mode."""

    def direct(surrogate: Any, x: Any) -> dict[str, Any]:
        return {f: getattr(surrogate, method)(x) for f, method in METHODS.items()}

    by = _by_each_input(direct, surrogate, x)
    forward = {f"d{f}_d_{t}": d for f in METHODS for t, d in by[f].items()}
    return direct(surrogate, x) | forward, _gradients(surrogate, x)


@jax.jit
def _jacobian(surrogate: Any, x: Any) -> dict[str, dict[str, Any]]:
    return _by_each_input(_gradients, surrogate, x)


def jacobian(rows: Rows) -> dict[str, Values]:
    """∂f/∂t of all values f by all inputs t, in double precision; from the columns, where they have it."""
    with jax.enable_x64(True):
        by = jax.device_get(_jacobian(rows.surrogate, rows.x))
    by |= {f: rows.derivatives(f) for f in METHODS}
    return by | {"dsigma_d_x": by["grad"]}


def terms(name: str, f: str, p: Values) -> Any:
    """The size of the terms of a value that is a difference: their roundings stay where it vanishes."""
    if (name, f) == ("SquarewaveFourierSeries", "sigma"):
        return 0.5
    if name == "MultiGaussianGrad" and f in ("dsigma_d_h", "dsigma_d_scale", "dsigma_d_s"):
        # Of the two lobes, whose curves run through 0 at ±sigma and cancel at x = 0.
        lobe = np.vectorize(math.erf)(1 / (p["s"] * math.sqrt(2)))
        flank = math.sqrt(2 / math.pi) * np.exp(-0.5 / p["s"] ** 2) / p["s"] ** 2
        return {"h": p["scale"] * lobe, "scale": p["h"] * lobe, "s": p["scale"] * p["h"] * flank}[f.split("_")[-1]]
    return 0.0


def in_dtype(rows: Rows, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    """x as a dtype sees it, and the row that each row is in it: a kink's, where x rounds to the kink.

    Subnormal numbers are 0 here, since XLA flushes them in some threads and not in others.
    """
    with np.errstate(over="ignore"):  # rows beyond the largest number of the dtype are at infinity, and left out
        x = rows.x.astype(dtype)
    x = np.where(np.abs(x) < np.finfo(dtype).tiny, np.zeros_like(x), x)
    index = np.arange(len(x))
    for kink in np.flatnonzero(rows.columns["kink"]):
        same = rows.columns["setting"] == rows.columns["setting"][kink]
        index = np.where(same & (x == x[kink]), kink, index)
    return x, index


class Errors(NamedTuple):
    """Errors of one value f at the rows where it is defined.

    `bound` is what the error may be, `size` is |f| and the size of its terms, `sensitivity` is Σ |t ∂f/∂t|.
    """

    x: np.ndarray
    error: np.ndarray
    bound: np.ndarray
    size: np.ndarray
    sensitivity: np.ndarray


def errors(name: str, dtype: Any, folder: Path = FOLDER) -> dict[tuple[str, str], list[Errors]]:
    """Errors of all values of a surrogate in a dtype, by the value's name and the mode of differentiation."""
    found: dict[tuple[str, str], list[Errors]] = {}
    for group in rows(name, folder):
        by = jacobian(group)
        x, row = in_dtype(group, dtype)
        with jax.enable_x64(dtype == np.float64):
            modes = jax.device_get(evaluated(group.surrogate, x))
        for mode, values in zip(("forward", "reverse"), modes, strict=True):
            for f, value in values.items():
                assert value.dtype == dtype
                found.setdefault((f, mode), []).append(_errors(name, f, group, by[f], value, row))
    return found


def _errors(name: str, f: str, rows: Rows, by: Values, value: np.ndarray, row: np.ndarray) -> Errors:
    finite = np.isfinite(rows.x) & (np.abs(rows.x) <= float(np.finfo(value.dtype).max))
    x, row, value = rows.x[finite], row[finite], value[finite]
    p, by = ({t: a[row] for t, a in values.items()} for values in (rows.inputs(), by))
    exact = rows.columns[f][row]
    allowed = bound(name, f, exact, p, by, value.dtype) + np.where(np.abs(x) < RESOLUTION, RESOLUTION, 0)
    with np.errstate(over="ignore"):
        sensitivity = sum(np.abs(p[t] * by[t]) for t in p)
    error, size = np.abs(value.astype(float) - exact), np.abs(exact) + terms(name, f, p)
    defined = rows.columns["kink"][row] == 0 if f == "dgrad_d_x" else ~np.isnan(exact)
    return Errors(*(a[defined] for a in (x, error, allowed, size, sensitivity)))


def bound(name: str, f: str, exact: np.ndarray, p: Values, by: Values, dtype: Any) -> np.ndarray:
    """How much the value f of inputs p may be off, given its derivatives by them."""
    eps, tiny = float(np.finfo(dtype).eps), float(np.finfo(dtype).tiny)
    sensitivity = sum(np.abs(eps * p[t] * by[t]) for t in p)
    allowed = eps * ROUNDINGS * (np.abs(exact) + terms(name, f, p)) + INPUTS * sensitivity
    # What is below the smallest normal number is flushed to 0, in results and in inputs.
    allowed += tiny + sum(tiny * np.abs(by[t]) for t in p)
    if (name, f) == ("S2NN", "dsigma_d_x"):
        allowed += p["epsilon"] * np.abs(exact)  # the original's slope leaves epsilon out
    return allowed
