"""The page of the results, Markdown."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import jax
from claims import MARGIN, claims
from experiment import Family, Settings, families
from records import Curve, Rows, curves, family_of

HEAD = """# Zenke & Vogels (2021), reproduced

F. Zenke and T. P. Vogels, The remarkable robustness of surrogate gradient learning for instilling complex function in
spiking neural networks, Neural Computation 33(4), 899–925, 2021. This page is written by
`python examples/zenke_vogels_2021/run.py --out FOLDER`; every number on it comes from `runs.jsonl` beside it.

![Accuracy against the scale of the surrogate, a panel a condition](accuracy.png)

![Accuracy against the scale of the surrogate, a panel a number of classes](classes.png)
"""

SETUP = """## Set-up

| | paper, or its authors' code | here |
|-|-|-|
| task | random manifolds in spike time, D = 1, smoothness 1, 20 inputs | the same, `surgrad.tasks._manifolds` |
| classes, samples | 10, 1000 a class, 800 to learn from | {classes}; {samples} a class, four fifths to learn from |
| time | 100 steps, spikes in the first half | {steps} steps, spikes in the first {window} |
| neurons | LIF behind a synapse, multiplicative reset | `CuBaLIF(reset="zero")`, τ = {tau:g} and {tau_syn:g} steps |
| network | one hidden layer, leaky readout | the same, {hidden} hidden neurons |
| answer, loss | largest voltage over time, cross-entropy | the same |
| peak one | 1/(β|x| + 1)², s(βx) s(−βx), max(0, 1 − β|x|) | the same, the sigmoid's four times as high |
| asymptotic | β/(β|x| + 1)² | the same |
| learning rate | searched together with β | Adam, {rate:g}; recurrent {recurrent_rate:g}; see the claims |
| training | | {updates} updates of {batch} samples, {seeds} seeds |

A seed sets manifolds, initial weights and batches, so that differences below are paired by seed: manifolds differ in
difficulty, and with them the accuracies. No network is regularised. What the paper says is taken from its abstract and
the caption of its figure 5, formulas and sizes from `stork`, its authors' library; the rest of its text was not at
hand.
"""

CLAIMS = """## What holds

Accuracies in % of held-out samples, mean ± standard deviation over seeds; differences in points, mean ± standard
error. A difference counts if it is above {margin:g} points and two standard errors; the best β of a curve is that of
its highest mean, among {betas}. {kept} of {count} claims of the paper hold.

| claim | from | here | holds |
|-|-|-|-|
"""

CAVEATS = """
How to read this. "Grows" compares the smallest β with the largest alone; what lies between need not be steady. Where
all curves are near 100 %, as with few classes, their equality says little. In "learns worse", the second learning
rate was added after results had been seen; the difference at the first one alone stands beside. What is called "seen
here" was noticed in these results, and not asked beforehand.
"""


def write(rows: Rows, settings: Settings, folder: Path) -> None:
    """The page, as `README.md`."""
    parts = (HEAD, _claims(rows, settings), _setup(settings), _tables(rows, settings), _cost(rows))
    (folder / "README.md").write_text("\n".join(parts))


def _setup(settings: Settings) -> str:
    values = dataclasses.asdict(settings)
    values["classes"] = ", ".join(map(str, settings.classes))
    # In a table a bar separates cells.
    return SETUP.replace("β|x|", "β\\|x\\|").format(**{**values, "seeds": len(settings.seeds)})


def _claims(rows: Rows, settings: Settings) -> str:
    found = claims(rows, settings)
    lines = [f"| {c.claim} | {c.source} | {c.here} | {'**yes**' if c.holds else '**no**'} |" for c in found]
    published = [claim for claim in found if claim.published]
    head = CLAIMS.format(
        margin=MARGIN,
        betas=", ".join(f"{beta:g}" for beta in settings.betas),
        kept=sum(c.holds for c in published),
        count=len(published),
    )
    return head + "\n".join(lines) + "\n" + CAVEATS


def _tables(rows: Rows, settings: Settings) -> str:
    """Accuracies of every family: a table a condition."""
    found = curves(rows)
    ordered = families(settings)
    conditions = dict.fromkeys(map(_condition, ordered))
    parts = ["## All accuracies\n"]
    for condition in conditions:
        lines = [family for family in ordered if _condition(family) == condition]
        head = " | ".join(f"β = {beta:g}" for beta in settings.betas)
        parts += [f"{_named(condition)}\n", f"| slope | {head} |", "|-" * (1 + len(settings.betas)) + "|"]
        parts += [_line(family, found[family], settings) for family in lines]
        parts.append("")
    return "\n".join(parts)


def _condition(family: Family) -> Family:
    """What the lines of a table have in common."""
    return dataclasses.replace(family, shape="", peak="", rate=1.0)


def _line(family: Family, curve: Curve, settings: Settings) -> str:
    cells = [curve.shown(i) for i in range(len(curve.betas))]
    # A slope without a scale fills the first cell alone.
    cells += [""] * (len(settings.betas) - len(cells))
    name = family.shape + (", peak β" if family.peak == "β" else "")
    name += "" if family.rate == 1 else f", {family.rate:g} of the rate"
    return f"| {name} | {' | '.join(cells)} |"


def _named(family: Family) -> str:
    where = "no recurrent connections" if family.recurrence == "none" else f"recurrent, {_how(family.recurrence)} them"
    return f"**{family.classes} classes; {where}; {_how(family.reset)} the reset**"


def _how(setting: str) -> str:
    return "gradients through" if setting == "through" else "no gradients through"


def _cost(rows: Rows) -> str:
    """Wall and CPU seconds of all runs, compilation included."""
    groups: dict[str, Rows] = {}
    for row in rows:
        kind = "recurrent" if family_of(row).recurrence != "none" else "not recurrent"
        groups.setdefault(kind, []).append(row)
    lines = [
        f"| {kind} | {len(group)} | {_total(group, 'wall')} | {_total(group, 'cpu')} |"
        for kind, group in {**groups, "all": rows}.items()
    ]
    head = "| networks | runs | wall seconds | CPU seconds |\n|-|-|-|-|\n"
    made = f"JAX {jax.__version__}, on a {jax.default_backend()}; the runs of a line of the tables share a program."
    return (
        f"## Cost\n\n{made} Compilation is included.\nWall seconds count what else the machine did.\n\n{head}"
        + "\n".join(lines)
        + "\n"
    )


def _total(rows: Rows, clock: str) -> str:
    return f"{sum(row[f'{clock}_seconds'] for row in rows):,.0f}"
