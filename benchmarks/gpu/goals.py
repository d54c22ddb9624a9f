"""What surgrad is to reach on a GPU, and whether it did: rows of a table, from the results alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from benchmarks.compare import targets
from benchmarks.compare.competitors import COMPETITORS

OURS = "surgrad"


class Goal(NamedTuple):
    """A ratio and its limit; None where it is unknown."""

    what: str
    limit: float
    found: float | None

    @property
    def state(self) -> str:
        """Whether it was reached."""
        if self.found is None:
            return "not measured"
        return "reached" if self.found <= self.limit else "**missed**"


def goals(results: dict[str, Any]) -> list[Goal]:
    """All goals, those of cases that were not measured too."""
    return [goal for run in results["runs"] for goal in _of_run(run)]


def _of_run(run: targets.Run) -> Iterator[Goal]:
    best = "the best peer", _fastest(run, ())
    best_on_jax = "the best peer on JAX", _fastest(run, ("jax",))
    match run["workload"]:
        case "g1":
            yield _time(run, 1.0, *_named("spikingjelly"))
            yield _time(run, 1.5, *_named("copy_xla"))
        case "g2":
            yield _time(run, 0.7, *_named("jaxpike"))
            yield _time(run, 1.0, *_named("spikingjelly"))
            yield _memory(run, 1.0, "jaxpike_checkpointed")
        case "g3":
            yield _time(run, 1.0, *best)
        case "g4" | "g5":
            yield _time(run, 1.0, *best_on_jax)


def _named(name: str) -> tuple[str, str]:
    return COMPETITORS[name].label, name


def _fastest(run: targets.Run, packages: tuple[str, ...]) -> str | None:
    """The fastest peer that needs some packages."""
    names = [n for n in run["competitors"] if set(packages) <= set(COMPETITORS[n].packages)]
    return targets.fastest_peer({**run, "competitors": {n: run["competitors"][n] for n in names}}, "wall_s")


def _time(run: targets.Run, limit: float, label: str, other: str | None) -> Goal:
    what = f"({run['workload']}) {run['name']}: time / that of {label}"
    if other is not None and label != COMPETITORS[other].label:
        what += f", {COMPETITORS[other].label}"
    return Goal(what, limit, targets.ratio(run, OURS, other, "wall_s"))


def _memory(run: targets.Run, limit: float, other: str) -> Goal:
    ours, theirs = (run["competitors"].get(name, {}).get("memory_bytes") for name in (OURS, other))
    found = ours / theirs if ours is not None and theirs else None
    return Goal(f"({run['workload']}) {run['name']}: memory / that of {COMPETITORS[other].label}", limit, found)
