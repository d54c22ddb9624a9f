"""The table of the page beside braintools: values of both that are further off than rounding explains.

    python benchmarks/beside_braintools.py

Curves and slopes are compared with the rows of tests/golden and tests/golden_huge whose x the dtype holds exactly, as a
normal number, and whose hyperparameters are Python's numbers, as users write them. A value f of inputs t counts as off
beyond n eps (|f| + Σ |t ∂f/∂t|) and what is flushed to 0, with n = 64, or 2 in half precision. The five curves that
braintools does not have are left out.
"""

from __future__ import annotations

import importlib.metadata
import json
import pathlib
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import braintools.surrogate as theirs  # noqa: E402, it must not be imported before the path is set

import surgrad  # noqa: E402
from benchmarks.tested_versions import write  # noqa: E402
from golden_rows import FOLDER, HUGE, METHODS, RESOLUTION, Rows, rows, terms  # noqa: E402

PAGE = ROOT / "docs" / "how-to" / "coming-from" / "braintools.md"
DTYPES = ("float32", "float64", "bfloat16", "float16")
UNITS = {"float32": 64, "float64": 64, "bfloat16": 2, "float16": 2}
"""Few where single precision can be computed in, and the result rounded once."""
NAMES = sorted(name for name in surgrad.catalogue() if hasattr(theirs, name))
WITHOUT_CURVE = {"ReluGrad", "GaussianGrad", "MultiGaussianGrad", "InvSquareGrad", "SlayerGrad"}


def groups(name: str) -> Iterator[Rows]:
    """All rows of a surrogate, those of huge x too."""
    for folder in (FOLDER, HUGE):
        if (folder / f"{name}.csv").exists():
            yield from rows(name, folder)


def allowed(name: str, f: str, group: Rows, at: np.ndarray, dtype: str) -> np.ndarray:
    """How far off each value may be."""
    info = jnp.finfo(dtype)
    eps, tiny = float(info.eps), float(info.tiny)
    p, by = ({t: a[at] for t, a in v.items()} for v in (group.inputs(), group.derivatives(f)))
    size = np.abs(eps * group.columns[f][at]) + eps * terms(name, f, p)
    size = size + sum(np.abs(eps * p[t] * by[t]) for t in p)
    return UNITS[dtype] * size + tiny * (1 + sum(np.abs(by[t]) for t in p))


def settings(group: Rows) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    """The hyperparameters of each setting, and where its rows are."""
    leaves = {t: v for t, v in group.inputs().items() if t != "x"}
    keys = np.stack(list(leaves.values()))
    static = {"n": group.surrogate.n} if hasattr(group.surrogate, "n") else {}
    for key in np.unique(keys, axis=1).T:
        yield dict(zip(leaves, map(float, key), strict=True)) | static, np.all(keys == key[:, None], axis=0)


def off(module: Any, name: str, f: str, dtype: str) -> tuple[int, int]:
    """How many values of a curve or a slope are compared, and how many are off."""
    compared = beyond = 0
    with jax.enable_x64(dtype == "float64"), np.errstate(over="ignore", under="ignore"):
        for group in groups(name):
            held = group.x.astype(jnp.dtype(dtype)).astype(float) == group.x
            smallest = max(float(jnp.finfo(dtype).tiny), RESOLUTION)
            seen = (group.x == 0) | (np.abs(group.x) >= smallest)
            usable = held & seen & np.isfinite(group.x) & (group.columns["kink"] == 0)
            for parameters, here in settings(group):
                at = np.flatnonzero(usable & here)
                surrogate = getattr(module, name)(**parameters)
                value = getattr(surrogate, METHODS[f])(jnp.asarray(group.x[at], dtype))
                error = np.abs(np.asarray(value, float) - group.columns[f][at])
                compared += len(at)
                beyond += int(np.sum(~(error <= allowed(name, f, group, at, dtype))))
    return compared, beyond


def table() -> str:
    """The rows, by dtype, and where braintools is off, most often first."""
    version = importlib.metadata.version("braintools")
    lines = [f"| dtype | values | braintools {version} | surgrad | where braintools is off |", "|-|-|-|-|-|"]
    for dtype in DTYPES:
        count, where, ours = 0, Counter(), 0
        for name in NAMES:
            for f in METHODS if name not in WITHOUT_CURVE else ("grad",):
                compared, beyond = off(theirs, name, f, dtype)
                count, ours = count + compared, ours + off(surgrad, name, f, dtype)[1]
                where[f"{name} {'curve' if f == 'sigma' else 'slope'}"] += beyond
        named = ", ".join(f"{place} ({number})" for place, number in where.most_common() if number)
        lines.append(f"| {dtype} | {count} | {sum(where.values())} | {ours} | {named} |")
        print(lines[-1], json.dumps({"jax": jax.__version__}), flush=True)
    return "\n".join(lines)


def main() -> None:
    """Write the table into the page."""
    write(table(), PAGE)


if __name__ == "__main__":
    main()
