"""The page of the study, its pictures and its summary, from the rows that there are."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import surgrad
from benchmarks.which_one import pictures, plan, shapes, statistics
from benchmarks.which_one.problems import NETS, problems
from benchmarks.which_one.rules import RULES
from benchmarks.which_one.runs import Result
from benchmarks.which_one.summary import first_seeds, plain, summarised

NEAR = 2.0
"""Points below the best shape that count as near."""
CONTENTS = """## What was run

{problems} All networks have {hidden} leaky integrate-and-fire neurons in each hidden layer, and learn with Adam; few
updates of small networks, so that each run takes about a second. Width is the full width at half maximum of the slope,
in thresholds; a slope is scaled to a height of 1, or to an area of 1. Shapes that are one function at another scale run
once: {same}. {unscaled}{left_out}

{counts}

Written by `python -m benchmarks.which_one page`; surgrad {version}.
"""


def write(results: Sequence[Result], folder: Path, stages: Sequence[str]) -> None:
    """`README.md`, pictures and `summary.json` in a folder.

    Parameters:
        results: the rows.
        folder: is made if it is not there.
        stages: names of the stages that make up the whole study.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    results = sorted(results, key=_place)  # the page does not depend on the order in which runs were finished
    done = {result.run.same() for result in results}
    planned = {run.same() for run in plan.planned(stages)}
    summary = summarised(results, len(done & planned), len(planned))
    results = first_seeds(results)
    (folder / "summary.json").write_text(json.dumps(plain(summary), indent=1) + "\n")
    parts = [
        "# Which surrogate?\n", _recommendation(summary), _unfinished(summary), _fails(summary),
        _width(results, summary, folder), _shape(results, folder), _nets(summary), _rules(results, folder),
        _contents(results, stages),
    ]  # fmt: skip
    (folder / "README.md").write_text("\n".join(part for part in parts if part))


def _place(result: Result) -> tuple[Any, ...]:
    """Where a row comes: by task and architecture, then by the rest of its run."""
    run = result.run
    return list(problems()).index(run.task), list(NETS).index(run.net), dataclasses.astuple(run)


def _recommendation(summary: dict[str, Any]) -> str:
    """The first lines: what to take, by the rows."""
    if not summary["shapes"] or summary["calibrate"] is None:
        return (
            "**There are too few rows for a recommendation**: no case has two seeds at several widths and calibrated.\n"
        )
    shape = summary["take"]
    ours = summary["calibrate"]
    width, single = min(summary["fixed"].items(), key=lambda item: item[1]["mean"])
    wrong, costly = max(summary["fixed"].items(), key=lambda item: item[1]["mean"])
    unit = f"threshold{'' if width == '1' else 's'}"
    beside = f"One width for all, {width} {unit}, which is the best of them, {_lost(single)}."
    if ours["mean"] <= single["mean"]:
        how = f"Take `{shape}`, and let `meta.calibrate` set its width."
        cost = f"A calibrated width {_lost(ours)} against the best width of each case. {beside}"
    else:
        how = f"Take `{shape}` with a width of {width} {unit}."
        cost = f"{beside} A calibrated width {_lost(ours)}; both against the best width of each case."
    begin = "" if summary["enough"] else "So far, from too few rows to rely on: "
    return (
        f"**{begin}{how}** {cost} A width of {wrong} loses {costly['mean']:.1f} points.\n\n{_near(summary)} "
        f"{_separated(summary, shape)}\n"
    )


def _near(summary: dict[str, Any]) -> str:
    """How far apart the shapes are, each at its best width."""
    shape = summary["take"]
    apart = {name: found["mean"] - summary["shapes"][shape]["mean"] for name, found in summary["shapes"].items()}
    near = [name for name, points in apart.items() if points <= NEAR and name != shape]
    far = ", ".join(f"`{name}` {points:.1f}" for name, points in apart.items() if points > NEAR)
    better = ", ".join(f"`{name}` {-points:.2f}" for name, points in apart.items() if points < 0)
    sure = ", ".join(f"`{name}`" for name in summary["better_over_cases"])
    text = f"Better than `{shape}` by more than chance: {sure}"
    text = text if sure else f"No shape is better than `{shape}` by more than chance"
    text += (
        f"{f' (on average, by points: {better})' if better else ''}. At the best width of each, {len(near)} of the "
        f"{len(apart) - 1} others are within {NEAR:g} points of it, averaged over the tasks and architectures "
        f"that all have: {', '.join(f'`{name}`' for name in near)}."
    )
    return f"{text} The rest are further below, by points: {far}." if far else text


def _points(found: dict[str, Any]) -> str:
    reach = f"95 % interval {found['low']:.2f} to {found['high']:.2f}; worst case loses {found['worst']:.1f}"
    return f"{found['mean']:.2f} points ({reach})"


def _lost(found: dict[str, Any]) -> str:
    """What a choice loses; it gains where the best width of some seeds is not that of the others."""
    if found["mean"] >= 0:
        return f"loses {_points(found)}"
    return f"gains {_points(found | {'mean': -found['mean'], 'low': -found['high'], 'high': -found['low']})}"


def _separated(summary: dict[str, Any], shape: str) -> str:
    count = Counter(one["shape"] for one in summary["worse"])
    names = [name for name in summary["shapes"] if name in summary["worse_over_cases"]]
    text = f"Over all tasks and architectures together (signed-rank test, Holm, 95 %), {len(names)} shapes are worse"
    text += f" than `{shape}` by more than chance{': ' if names else ''}{', '.join(f'`{name}`' for name in names)}. "
    if not count:
        return (
            f"{text}Within one task and architecture {summary['seeds']} seeds are too few to separate any of them: "
            f"none of {summary['tests']} comparisons is significant."
        )
    listed = ", ".join(f"`{name}` {number} times" for name, number in count.most_common())
    return text + (
        f"Of {summary['tests']} comparisons with `{shape}`, other shapes are worse by more than chance in "
        f"{len(summary['worse'])} (Holm, 95 %): {listed}."
    )


def _unfinished(summary: dict[str, Any]) -> str:
    done, planned = summary["done"], summary["planned"]
    if done == planned:
        return f"All {planned} planned runs are done, with {summary['seeds']} seeds.\n"
    return (
        f"**Unfinished: {done:,} of {planned:,} planned runs ({100 * done / planned:.1f} %), with up to "
        f"{summary['seeds']} of 5 seeds, on {len(summary['tasks'])} of {len(problems())} tasks.** What is said "
        f"here can change.\n"
    )


def _fails(summary: dict[str, Any]) -> str:
    """Where the recommendation does not hold."""
    text = (
        f"## Where it does not hold\n\nThe goal of calibration is a mean loss of at most {statistics.GOAL_MEAN} "
        f"points on tasks that its rule was not chosen by, and in no case more than its standard error plus "
        f"{statistics.GOAL_WORST}. A case is a task, an architecture, a shape and a size.\n\n"
    )
    for name, about in (("unseen", "tasks that the rule was not chosen by"), ("calibrate", "all tasks")):
        if found := summary[name]:
            goal = "meets" if found["mean"] <= statistics.GOAL_MEAN else "misses"
            text += (
                f"- On {about}, {found['cases']} cases, it {goal} the first with a loss of {_points(found)}; "
                f"{len(found['fails'])} cases lose more than the second allows.\n"
            )
    failing = summary["calibrate"]["fails"] if summary["calibrate"] else []
    if not failing:
        return text
    lines = [f"| {one['case']} | {one['points']:.1f} | {one['error']:.1f} | {_fresh(one)} |" for one in failing]
    text += "\n| case | lost, points | standard error | with fresh seeds | standard error |\n|-|-|-|-|-|\n"
    return text + "\n".join(lines) + f"\n\n{_still(failing)}"


def _fresh(one: dict[str, Any]) -> str:
    """The columns of what a case loses with fresh seeds."""
    found = one.get("fresh")
    return f"{found['points']:.1f} | {found['error']:.1f}" if found else " | "


def _still(failing: Sequence[dict[str, Any]]) -> str:
    """How many of the failing cases fail with fresh seeds."""
    fresh = [one["fresh"] for one in failing if "fresh" in one]
    if not fresh:
        return ""
    seeds, still = max(found["seeds"] for found in fresh), sum(found["fails"] for found in fresh)
    return (
        f"The largest of many noisy losses are too large by chance. So the calibrated width is compared once more with "
        f"the width that was best, with {seeds} seeds that nothing was chosen by: {still} of {len(fresh)} cases lose "
        f"more than the second allows.\n"
    )


def _width(results: Sequence[Result], summary: dict[str, Any], folder: Path) -> str:
    text = "## Width\n\n"
    there = {case.size for case, of in statistics.curves(results).items() if len(of) > 1}
    for size in shapes.SIZES:
        if size in there:
            pictures.widths(results, size).savefig(folder / f"widths-{size}.png", dpi=80)
            text += f"![Accuracy over width at unit {size}](widths-{size}.png)\n\n"
    text += "Bands are standard errors of the mean over seeds. What a width loses against the best one of its case:\n\n"
    text += "| width | mean loss, points | 95 % interval | worst case | cases |\n|-|-|-|-|-|\n"
    ours = {"calibrated": summary["calibrate"]} if summary["calibrate"] else {}
    for name, found in (ours | summary["fixed"]).items():
        low_high = f"{found['low']:.2f} to {found['high']:.2f}"
        text += f"| {name} | {found['mean']:.2f} | {low_high} | {found['worst']:.1f} | {found['cases']} |\n"
    return text + _shares(results) + _by_net(results) + _sizes(results)


def _shares(results: Sequence[Result]) -> str:
    found = statistics.shares(results)
    if found is None:
        return ""
    return (
        f"\nThe standard deviation of accuracy between widths of one shape is {found.width**0.5:.1f} points, between "
        f"shapes at their best widths {found.shape**0.5:.1f}, and between seeds of one run {found.seed**0.5:.1f} (root "
        f"mean squares over {found.cases} tasks, architectures and sizes; a mean of n seeds has 1/√n of the last).\n"
    )


def _by_net(results: Sequence[Result]) -> str:
    """What each width loses by architecture."""
    found = {"calibrated": statistics.losses(results, "calibrate")}
    found |= {f"{width:g}": of for width, of in statistics.fixed_losses(results).items()}
    nets = [net for net in NETS if any(loss.case.net == net for of in found.values() for loss in of)]
    if len(nets) < 2:
        return ""
    text = "\nMean losses by architecture, in points:\n\n| width | " + " | ".join(nets) + " |\n|-"
    text += "|-" * len(nets) + "|\n"
    for name, of in found.items():
        each = [[loss.beside for loss in of if loss.case.net == net] for net in nets]
        text += f"| {name} | " + " | ".join(f"{np.mean(one):.2f}" if one else "" for one in each) + " |\n"
    return text


def _sizes(results: Sequence[Result]) -> str:
    """Unit height beside unit area, at the best and at the calibrated widths of each."""
    text = ""
    for what, accuracies in (("best", statistics.at_best(results)), ("calibrated", statistics.at_calibrated(results))):
        apart = [
            np.mean(list(of.values())) - np.mean(list(accuracies[case._replace(size="area")].values()))
            for case, of in accuracies.items()
            if case.size == "height" and case._replace(size="area") in accuracies
        ]
        if apart:
            mean, low, high = statistics.interval(apart)
            text += (
                f"At {what} widths a slope of unit height is {mean:+.2f} points beside one of unit area (95 % interval "
                f"over {len(apart)} cases {low:+.2f} to {high:+.2f}; from {min(apart):+.1f} to {max(apart):+.1f}). "
            )
    return f"\n{text.rstrip()}\n" if text else ""


def _shape(results: Sequence[Result], folder: Path) -> str:
    text = (
        "## Shape\n\nPoints below the best shape of the row; a star marks those that differ from the shape of the "
        "first column by more than chance (Holm, 95 %).\n\n"
    )
    for what, accuracies in (("best", statistics.at_best(results)), ("calibrated", statistics.at_calibrated(results))):
        for size in shapes.SIZES:
            found = {case: v for case, v in statistics.relative(accuracies).items() if case.size == size}
            if len({case.shape for case in found}) < 2:
                continue
            whole = statistics.complete(found)
            mean = {n: np.mean([found[c] for c in whole if c.shape == n]) for n in sorted({c.shape for c in whole})}
            tests = statistics.compared(accuracies, size, min(mean, key=lambda name: mean[name])) if mean else []
            stars = {statistics.Case(t.task, t.network, t.surrogate, size) for t in tests if t.significant}
            title = f"At {what} widths, unit {size}"
            pictures.heat(found, stars, size, title).savefig(folder / f"shapes-{what}-{size}.png", dpi=90)
            text += f"![{title}](shapes-{what}-{size}.png)\n\n"
    return text


def _nets(summary: dict[str, Any]) -> str:
    """How far shapes are from the one to take, by architecture."""
    nets = [net for net in NETS if net in summary["nets"]]
    if len(nets) < 2:
        return ""
    take = summary["take"]
    names = [name for name in summary["shapes"] if name != take]
    text = f"Points below `{take}` at the best width of each, averaged over tasks:\n\n| shape | " + " | ".join(nets)
    text += " |\n|-" + "|-" * len(nets) + "|\n"
    for name in names:
        of = [summary["nets"][net].get(name) for net in nets]
        text += f"| `{name}` | " + " | ".join("" if one is None else f"{one:.1f}" for one in of) + " |\n"
    return f"{text}\n"


def _rules(results: Sequence[Result], folder: Path) -> str:
    there = [name for name in RULES if name != "fixed" and any(result.run.rule == name for result in results)]
    found = {name: statistics.losses(results, name) for name in there}
    found |= {f"width {width:g}": of for width, of in statistics.fixed_losses(results).items()}
    found = {name: of for name, of in found.items() if of}
    if not found:
        return ""
    pictures.choices(found).savefig(folder / "choices.png", dpi=90)
    rows = "| rule | | mean loss | worst case | cases | beside calibration on these cases |\n|-|-|-|-|-|-|\n"
    ours = {loss.case: loss for loss in found.get("calibrate", [])}
    for name in (name for name in there if name in found):
        losses = [loss.beside for loss in found[name]]
        apart = [loss.accuracy - ours[loss.case].accuracy for loss in found[name] if loss.case in ours]
        beside = "{:+.2f} ({:+.2f} to {:+.2f})".format(*statistics.interval(apart)) if apart else ""
        beside = "" if name == "calibrate" else beside
        numbers = f"{np.mean(losses):.2f} | {max(losses):.1f} | {len(losses)} | {beside}"
        rows += f"| {name} | {str(type(RULES[name]).__doc__).splitlines()[0]} | {numbers} |\n"
    return f"## Ways to set the width\n\n![What they lose](choices.png)\n\nIn points; intervals of 95 %.\n\n{rows}"


def _contents(results: Sequence[Result], stages: Sequence[str]) -> str:
    same = "; ".join(" = ".join(f"`{name}`" for name in one.names) for one in shapes.shapes() if len(one.names) > 1)
    without = [one.name for one in shapes.shapes() if not one.has_width]
    unscaled = (
        f"Slopes that never fall to half run unscaled: {', '.join(f'`{n}`' for n in without)}." if without else ""
    )
    out = {name: why for name, kind in surgrad.catalogue().items() if (why := shapes.left_out(kind))}
    left = " Left out: " + "; ".join(f"`{name}` ({why})" for name, why in out.items()) + "." if out else ""
    lines = "| task | architecture | runs | seeds | shapes |\n|-|-|-|-|-|\n"
    for task in statistics.tasks_of(results):
        for net in NETS:
            rows = [r.run.same() for r in results if (r.run.task, r.run.net) == (task, net)]
            if rows:
                seeds, kinds = len({run.seed for run in rows}), len({run.shape for run in rows})
                lines += f"| {task} | {net} | {len(rows)} | {seeds} | {kinds} |\n"
    named = ", ".join(problems())
    sizes = sorted({problem.hidden for problem in problems().values()})
    return CONTENTS.format(
        problems=f"Tasks: {named}.", hidden=" or ".join(map(str, sizes)), same=same, unscaled=unscaled, left_out=left,
        counts=lines, version=surgrad.__version__,
    )  # fmt: skip
