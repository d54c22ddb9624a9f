"""The page of the results, Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import jax
import numpy as np
from endings import ANY, GRID, Line, best, fixed, lines
from findings import MARGIN, claims, errors_of, gap
from jobs import BLIND
from problem import LIMITS, Problem, Settings
from rows import Row

from surgrad.meta._gradients.explosion import LIMIT

HEAD = """# Learning the surrogate: fixed, calibrated, tuned, and learned by hypergradients

Networks whose loss goes down, with the scale of their surrogate chosen in four ways, side by side, from good starts
and from bad ones. This page is written by `python examples/learned_surrogates/run.py --out FOLDER`; every number on
it comes from `runs.jsonl` beside it.

The slope is s'(αx) of the logistic function s, brought to a peak of 1, with **α = 4 × scale**, so that scale 1 is the
default `Sigmoid(alpha=4)`. In the library's words: `Normalized(Temperature(Sigmoid(), 1 / scale), to="peak")`, of
which `meta.calibrate` changes the scale as `Surrogate.steeper` does.

![Accuracy against the scale, and where each method ends](accuracy.png)

![Training loss over updates](losses.png)

![Scales over updates, as hypergradients move them](scales.png)
"""

FOUND = """## What was found

{summary}

A claim about a difference counts if that is above {margin:g} point and two standard errors; "{near}" compares means.
Differences are in points, paired by seed, mean ± standard error.

| claim | here | holds |
|-|-|-|
"""

METHODS = """## The methods

The grid and hypergradients choose scales by samples to validate by, which no weight is learned from; tuning goes by
losses of training; calibration sees no labels. Accuracies are of samples that none of them has seen. A seed sets
samples, initial weights and batches, the same for all methods. Scales stay within {low:g} and {high:g}.

- **leave it**: the scale of the start, in all layers, for the whole run.
- **{grid}**: all {scales} fixed scales are trained, and of each seed the one that is best on the samples to validate
  by is kept.
- **calibrate**: `meta.calibrate` on one batch before training, a scale a layer, then a plain run.
- **tune**: `meta.tune`, successive halving over {candidates} candidates, the calibrated one among them, a scale a
  layer; it compares losses of training, and keeps the calibrated one unless another leads clearly.
- **{blind}**: the same without the calibrated candidate.
- **hypergradient**: after every {window} updates the logarithm of the scale, the same factor for all layers, takes a
  step of Adam (rate {outer_rate:g}) along `meta.hypergradient` through those updates (forward mode; the state of the
  optimiser goes on), of the loss on {judges} samples to validate by. Derivatives are clipped to ±{clip:g}: those of
  the first window, where Adam's updates of the weights are nearly signs, can be larger than all others by factors of
  hundreds and more, and would blind the outer Adam. What is not finite counts as zero. {exploding}
  Window, rate and clipping were chosen on two other seeds of the manifolds among ten variants (windows of 5, 10 and 20
  updates, Adam with and without clipping, and signs alone); none of them recovered from every start.
- **hypergradient, a scale a layer**: the same with a factor for each layer, as in the document.

"calibrated" as a start means the scales of calibration, which do not depend on where one begins.
"""

COLUMNS = (
    "method", "start", "test accuracy, %", "against the best fixed", "training loss, nats", "scale at the end",
    "cost: updates", "cost: CPU time",
)  # fmt: skip
REMARKS = """

Accuracies are mean ± standard deviation over {seeds} seeds; the best fixed scale is {best}, chosen in hindsight by the
samples to test by, which favours it. Losses are means over the first and the last of {points} equal parts of a run.
Costs are in units of one plain run; the CPU time of tuning includes its compilation, that of the others does not.
"""


def write(rows: list[Row], settings: Settings, folder: Path) -> None:
    """The page, as `README.md`."""
    parts = [HEAD, _found(rows, settings)]
    parts += [_table(rows, problem, settings) for problem in settings.problems]
    parts += [_methods(rows, settings), _differences(rows, settings), _setup(settings), _cost(rows, settings)]
    (folder / "README.md").write_text("\n".join(parts))


def _found(rows: list[Row], settings: Settings) -> str:
    near = f"within {MARGIN:g} point"
    head = FOUND.format(summary=summary(rows, settings), margin=MARGIN, near=near)
    cells = (f"| {c.claim} | {c.here} | {'**yes**' if c.holds else '**no**'} |" for c in claims(rows, settings))
    return head + "\n".join(cells) + "\n"


def summary(rows: list[Row], settings: Settings) -> str:
    """A paragraph a problem: which methods are near the best fixed scale from all of their starts, and which not."""
    parts = []
    for problem in settings.problems:
        good = best(fixed(rows, problem, settings))
        worst: dict[str, Line] = {}
        for line in lines(rows, problem, settings):
            if line.method not in worst or line.accuracies.mean() < worst[line.method].accuracies.mean():
                worst[line.method] = line
        gaps = {method: gap(line.accuracies, good.accuracies) for method, line in worst.items()}
        near = [f"{method} ({gaps[method]})" for method in worst if gaps[method].mean >= -MARGIN]
        far = [
            f"{method} ({gaps[method]}{'' if line.start == ANY else f', from {line.start}'})"
            for method, line in worst.items()
            if gaps[method].mean < -MARGIN
        ]
        parts.append(
            f"**{problem.title}.** The best fixed scale in hindsight is {good.start}: {shown(good.accuracies)} %. "
            f"Within {MARGIN:g} point of it from every start: {', '.join(near) or 'nothing'}. Further off, from "
            f"the worst of their starts: {', '.join(far) or 'nothing'}."
        )
    return "\n\n".join(parts)


def shown(values: np.ndarray) -> str:
    """Mean ± standard deviation over seeds."""
    return f"{values.mean():.1f}" + (f" ± {values.std(ddof=1):.1f}" if len(values) > 1 else "")


def _table(rows: list[Row], problem: Problem, settings: Settings) -> str:
    curve = fixed(rows, problem, settings)
    good = best(curve)
    parts = [f"## {problem.title[0].upper()}{problem.title[1:]}\n"]
    parts += [f"| fixed scale | {' | '.join(line.start for line in curve)} |", "|-" * (len(curve) + 1) + "|"]
    parts += [f"| test accuracy, % | {' | '.join(shown(line.accuracies) for line in curve)} |", ""]
    parts += [f"| {' | '.join(COLUMNS)} |", "|-" * len(COLUMNS) + "|"]
    parts += [_line(line, good) for line in lines(rows, problem, settings)]
    return "\n".join(parts) + REMARKS.format(seeds=len(settings.seeds), best=good.start, points=settings.points)


def _line(line: Line, good: Line) -> str:
    losses = f"{line.losses[:, 0].mean():.2f} → {line.losses[:, -1].mean():.2f}"
    layers = " / ".join(
        f"{scale:.0f}" if scale >= 100 else f"{scale:.2g}" for scale in np.exp(np.log(line.scales).mean(axis=0))
    )
    difference = gap(line.accuracies, good.accuracies)
    return (
        f"| {line.method} | {line.start} | {shown(line.accuracies)} | {difference} | {losses} | {layers} "
        f"| {line.updates:.2f} | {line.cpu:.1f} |"
    )


def _methods(rows: list[Row], settings: Settings) -> str:
    growths = [row["growth"] for row in rows if row["method"].startswith("hypergradient")]
    # What is not finite was written as null.
    many = sum(growth is None or growth > LIMIT for growth in growths)
    exploding = (
        f"In {many} of the {len(growths)} runs a derivative grew more than {LIMIT:g} times while its steps doubled."
    )
    names = ("candidates", "window", "outer_rate", "judges", "clip")
    values = {name: getattr(settings, name) for name in names}
    return METHODS.format(
        grid=GRID,
        blind=BLIND,
        scales=len(settings.scales),
        low=LIMITS[0],
        high=LIMITS[1],
        exploding=exploding,
        **values,
    )


def _differences(rows: list[Row], settings: Settings) -> str:
    parts = [
        "## Hypergradients against finite differences\n",
        "Derivatives of the loss on samples to validate by, by the logarithm of the scale of each layer at scale 1,",
        "after K updates of these networks with 16 hidden neurons and batches of 8, in double precision: relative",
        "error of `meta.hypergradient` against central differences of the trained weights (steps of 10⁻⁶; smaller ones",
        "where a spike jumps within them). The last link, from weights to that loss, is its surrogate gradient on both",
        "sides: through spikes a loss has no other.\n",
        "| problem | K | median | largest | seeds |",
        "|-|-|-|-|-|",
    ]
    for problem in settings.problems:
        for steps in settings.horizons:
            found = errors_of(rows, problem.task, steps)
            numbers = (f"{np.median(found):.0e}", f"{max(found):.0e}") if found else ("–", "–")
            parts.append(f"| {problem.title} | {steps} | {numbers[0]} | {numbers[1]} | {len(found)} |")
    return "\n".join(parts) + "\n"


def _setup(settings: Settings) -> str:
    parts = ["## Set-up\n", f"| | {' | '.join(problem.title for problem in settings.problems)} |"]
    parts.append("|-" * (len(settings.problems) + 1) + "|")
    entries = {
        "task": lambda p: f"`surgrad.tasks.{p.task}`: {', '.join(f'{k} {v}' for k, v in p.options if k != 'limit')}",
        "samples to learn from / validate / test": lambda p: " / ".join(f"{size:,}" for size in p.sizes),
        "network": lambda p: (
            f"{p.depth} hidden layer{'s' * (p.depth > 1)} of {p.hidden} LIF neurons, "
            f"{'recurrent' if p.recurrent else 'feed-forward'}, τ = {p.tau:g} steps, leaky readout"
        ),
        "answer, loss": lambda p: "largest voltage over time, cross-entropy",
        "training": lambda p: f"{p.updates} updates of {p.batch} samples, Adam, rate {p.rate:g}",
    }
    parts += [f"| {name} | {' | '.join(map(of, settings.problems))} |" for name, of in entries.items()]
    return "\n".join(parts) + "\n"


def _cost(rows: list[Row], settings: Settings) -> str:
    """Runs, updates, wall and CPU seconds of every method, and what tuning had cost one by one."""
    parts = [
        "## Cost\n",
        f"JAX {jax.__version__}, on a {jax.default_backend()}; one program serves all runs of a method, but tuning",
        "compiles once a seed. Loading of samples is not counted; wall seconds count what else the machine did.\n",
        "| problem | method | runs | updates | CPU seconds | of them compiling | wall seconds |",
        "|-|-|-|-|-|-|-|",
    ]
    for problem in settings.problems:
        for method in dict.fromkeys(row["method"] for row in rows):
            group = [row for row in rows if (row["task"], row["method"]) == (problem.task, method)]
            if group:
                parts.append(f"| {problem.title} | {method} | {len(group)} | {_sums(group)} |")
    parts.append(f"| all | all | {len(rows)} | {_sums(rows)} |")
    return "\n".join(parts) + f"\n\n{_one_by_one(rows, settings)}\n"


def _sums(rows: Iterable[Row]) -> str:
    rows = list(rows)
    compiling = sum(row.get("compile_seconds", 0.0) for row in rows)
    cpu = sum(row["cpu_seconds"] for row in rows) + compiling
    told = f"{compiling:,.0f}" if all("compile_seconds" in row for row in rows) else "not told apart"
    wall, updates = (sum(row.get(name, 0) for row in rows) for name in ("wall_seconds", "updates"))
    return f"{f'{updates:,}' if updates else '–'} | {cpu:,.0f} | {told} | {wall:,.0f}"


def _one_by_one(rows: list[Row], settings: Settings) -> str:
    parts = []
    for problem in settings.problems:
        found = [row for row in rows if (row["task"], row["method"]) == (problem.task, "tune")]
        took, whole = (np.mean([row[name] for row in found]) / problem.updates for name in ("updates", "one_by_one"))
        parts.append(f"{problem.title}: {took:.2f} plain runs by updates instead of {whole:.2f}")
    return f"Tuning, against training all of its candidates to the end one by one: {'; '.join(parts)}."
