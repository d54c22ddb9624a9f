"""What is run, stage by stage: first few runs of everything, then more of each."""

from __future__ import annotations

import dataclasses
import itertools
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from benchmarks.which_one import shapes
from benchmarks.which_one.problems import NETS, problems
from benchmarks.which_one.rules import RULES
from benchmarks.which_one.runs import Result, Run

WIDTHS = (0.1, 0.316, 1.0, 3.16, 10.0)
"""Full widths at half maximum in thresholds."""
BETWEEN = (0.0316, 0.178, 0.562, 1.78, 5.62, 31.6)
"""Those between and beyond them."""
SOME = WIDTHS[1:4]
"""Those at which most shapes are best in deep networks."""
SEEDS = range(5)
FRESH = range(5, 15)
"""Seeds of the cases in which calibration loses too much: a loss that chance made is not there with others."""
FIRST = ("Sigmoid", "Arctan", "FastSigmoid", "PiecewiseQuadratic", "ERF", "PiecewiseExp")
"""Shapes that come first: those that most libraries have."""
ADAPTED = "Sigmoid"
"""The shape that rules adapt, where they do not bring their own."""


@dataclasses.dataclass(frozen=True)
class Stage:
    """A part of the study.

    Parameters:
        about: what it adds, in words.
        nets: names of architectures.
        shapes: names of shapes; none for all.
        sizes: members of `shapes.SIZES`.
        widths: full widths at half maximum.
        rules: names of rules, beside fixed widths.
        seeds: seeds.
        tasks: names of tasks; none for all.
    """

    about: str
    nets: Sequence[str]
    shapes: Sequence[str] = ()
    sizes: Sequence[str] = ("height",)
    widths: Sequence[float] = WIDTHS
    rules: Sequence[str] = ("calibrate",)
    seeds: Sequence[int] = SEEDS
    tasks: Sequence[str] = ()

    def runs(self) -> Iterator[Run]:
        """The runs, seed by seed, so that all tasks have some early."""
        chosen = [one for one in shapes.shapes() if not self.shapes or set(one.names) & set(self.shapes)]
        for seed, task, net in itertools.product(self.seeds, self.tasks or problems(), self.nets):
            for shape, size in itertools.product(chosen, self.sizes):
                if size not in shape.sizes:
                    continue
                for width in self.widths if shape.has_width else self.widths[:1]:
                    yield Run(task, net, "fixed", shape.name, size, width if shape.has_width else 1.0, seed)
                for rule in self.rules:
                    if RULES[rule].scales_shape and shape.has_width:
                        yield Run(task, net, rule, shape.name, size, 0.0, seed)
            for rule in self.rules:
                if not RULES[rule].scales_shape:
                    yield Run(task, net, rule, ADAPTED, RULES[rule].size, 0.0, seed)


SHALLOW, DEEP = tuple(n for n in NETS if NETS[n].depth == 1), tuple(n for n in NETS if NETS[n].depth > 1)
ADAPTIVE = tuple(name for name in RULES if name not in ("fixed", "calibrate"))
STAGES = {
    "tiny": Stage("to try", SHALLOW[:1], FIRST[:4], widths=WIDTHS[1:4], seeds=(0, 1), tasks=("digits", "manifolds")),
    "1": Stage("one layer, all shapes, unit height", SHALLOW),
    "2": Stage("one layer, the rules that adapt", SHALLOW, (ADAPTED,), widths=(), rules=ADAPTIVE),
    "3": Stage("three and six layers, the usual shapes", DEEP, FIRST),
    "4": Stage("one layer, all shapes, unit area", SHALLOW, sizes=("area",)),
    "5": Stage("three and six layers, unit area", DEEP, FIRST, ("area",)),
    "6": Stage("three and six layers, the rules that adapt", DEEP, (ADAPTED,), widths=(), rules=ADAPTIVE),
    "7": Stage("three and six layers, the other shapes", DEEP, widths=SOME),
    "8": Stage("widths between and beyond", SHALLOW, FIRST, widths=BETWEEN, rules=()),
}


def planned(stages: Iterable[str]) -> list[Run]:
    """The runs of some stages, each once."""
    return list(dict.fromkeys(run for stage in stages for run in STAGES[stage].runs()))


def work(run: Run) -> float:
    """How much an update of a network does, about: layers, and recurrent ones twice."""
    net = NETS[run.net]
    return net.depth * (1 + net.recurrent)


def seconds(runs: Sequence[Run], results: Sequence[Result]) -> float | None:
    """How long some runs will take, by those that are done: of the same program, else of the same task, else of any.

    For another architecture the time is taken to be as `work`; other tasks can take longer than those that are known.
    """
    if not results:
        return None
    keys = (lambda r: (r.task, r.net, r.rule), lambda r: r.task, lambda r: None)
    known: list[dict[object, float]] = []
    for key in keys:
        groups = defaultdict(list)
        for result in results:
            groups[key(result.run)].append(result.seconds / work(result.run))
        known.append({name: statistics.median(values) for name, values in groups.items()})
    pairs = list(zip(keys, known, strict=True))
    each = (work(run) * next(table[key(run)] for key, table in pairs if key(run) in table) for run in runs)
    compiled = [result.compiled for result in results if result.compiled]
    programs = len({(run.task, run.net, run.rule) for run in runs})
    return sum(each) + programs * (statistics.fmean(compiled) if compiled else 0)
