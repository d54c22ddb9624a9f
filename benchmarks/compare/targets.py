"""What surgrad is to reach, and whether it did: rows of a table, from the results alone."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import Any, NamedTuple

from benchmarks.compare.competitors import COMPETITORS

Run = dict[str, Any]
"""The figures of a case, as `rounds.Match` returns them."""


class Row(NamedTuple):
    """A target and what was measured; None where a figure is unknown."""

    what: str
    limit: float
    unit: str
    cpu: float | None
    wall: float | None = None

    @property
    def reached(self) -> bool | None:
        """Whether all known figures are within the limit; None without any."""
        known = [value for value in (self.cpu, self.wall) if value is not None]
        return all(value <= self.limit for value in known) if known else None


def timed(run: Run, name: str) -> bool:
    """Whether a competitor has figures."""
    return run["competitors"].get(name, {}).get("status") == "timed"


def fastest_peer(run: Run, clock: str) -> str | None:
    """The name of the library with the smallest median."""
    peers = [name for name in run["competitors"] if COMPETITORS[name].role == "peer" and timed(run, name)]
    return min(peers, key=lambda name: run["competitors"][name][clock]["median"]) if peers else None


def ratio(run: Run, name: str, other: str | None, clock: str) -> float | None:
    """The median over rounds of one's time relative to another's in the same round: load of the machine cancels."""
    if other is None or not (timed(run, name) and timed(run, other)):
        return None
    pair = (run["competitors"][who][clock]["all"] for who in (name, other))
    return statistics.median(ours / theirs for ours, theirs in zip(*pair, strict=True))


def rows(results: dict[str, Any]) -> list[Row]:
    """All targets for which something was measured."""
    runs = results["runs"]
    found = [row for run in runs for row in _of_run(run)]
    return [*found, *_long(runs), *_operations(results)]


def _of_run(run: Run) -> Iterator[Row]:
    n, dense = run["sizes"][0], run["activity"] is None
    if run["workload"] == "a" and dense:
        limits = {512: 0.70, 1024: 0.80, 2048: 0.95}
        if n in limits:
            yield _against(run, "surgrad", "fastest peer", limits[n])
            yield _against(run, "surgrad", "surgrad_dense", 1.03)
        if n >= 1024:
            yield _against(run, "surgrad", "products_xla", 1.10)
        if n == 512:
            yield _figure(run, "surgrad", "memory_bytes", 40, "MB", 1e6)
            yield _figure(run, "surgrad_low_memory", "memory_bytes", 27, "MB", 1e6)
            yield _figure(run, "surgrad_dense", "compile_cpu_s", 0.8, "CPU s to compile")
            yield _figure(run, "surgrad", "compile_cpu_s", 0.8, "CPU s to compile, and to load Numba and its kernels")
            yield _figure(run, "surgrad", "compile_again_cpu_s", 0.8, "CPU s to compile, with the kernels loaded")
    elif run["workload"] == "a" and n in (512, 1024):
        yield _against(run, "surgrad", "fastest peer", 0.45 if n == 512 else 0.40)
    elif run["workload"] in ("b", "g"):
        yield _against(run, "surgrad", "fastest peer", 0.5)
    elif run["workload"] == "c":
        yield _against(run, "surgrad", "fastest peer", 1.0)
        yield _against(run, "surgrad_event_driven", "fastest peer", 0.6)
    elif run["workload"] == "d" and run["steps"] == 16_000:
        entries = run["steps"] * run["batch"] * run["sizes"][-1]
        yield _figure(run, "surgrad_low_memory", "memory_bytes", 0.25, "bytes a neuron and step", entries)
        # Times the time of what keeps everything: that of a plain scan, and our own.
        yield _against(run, "surgrad_low_memory", "plain_scan", 1.4)
        yield _against(run, "surgrad_low_memory", "surgrad", 1.4)
        if n == 512:
            yield _figure(run, "surgrad_low_memory", "memory_bytes", 1, "GiB", 2.0**30)


def _against(run: Run, name: str, other: str, limit: float) -> Row:
    cpu, wall = (
        ratio(run, name, fastest_peer(run, clock) if other == "fastest peer" else other, clock)
        for clock in ("cpu_s", "wall_s")
    )
    label = COMPETITORS[other].label if other in COMPETITORS else other
    return Row(f"{_title(run)}: {COMPETITORS[name].label} / {label}", limit, "×", cpu, wall)


def _figure(run: Run, name: str, key: str, limit: float, unit: str, scale: float = 1.0) -> Row:
    value = run["competitors"].get(name, {}).get(key)
    what = f"{_title(run)}: {COMPETITORS[name].label}"
    return Row(what, limit, unit, None if value is None else value / scale)


def _title(run: Run) -> str:
    return f"({run['workload']}) {run['name']}"


def _long(runs: list[Run]) -> Iterator[Row]:
    """Time that is linear in time: a step of 16,000 costs what one of 1000 does, within the noise of 15 %."""
    of = {(run["sizes"][0], run["steps"]): run for run in runs if run["workload"] == "d"}
    for n in sorted({size for size, _ in of}):
        short, long = of.get((n, 1000)), of.get((n, 16_000))
        if short and long and timed(short, "surgrad") and timed(long, "surgrad"):
            cpu, wall = (
                long["competitors"]["surgrad"][clock]["median"] / short["competitors"]["surgrad"][clock]["median"] / 16
                for clock in ("cpu_s", "wall_s")
            )
            yield Row(f"(d) n = {n}: a step of 16,000 / a step of 1000", 1.15, "×", cpu, wall)


def _operations(results: dict[str, Any]) -> Iterator[Row]:
    elements, eager, imports = (results.get(key) for key in ("elements", "eager", "imports"))
    if elements:
        ns = elements["ns_per_element"]
        for name, bound in elements["bounds"].items():
            limit = max(2.0, ns[bound]["cpu"] / ns["copy"]["cpu"])
            what = f"(e) {name}: slope / copy" + (f" (bound by {bound})" if limit > 2 else "")
            yield Row(what, limit, "×", *(ns[f"{name} slope"][c] / ns["copy"][c] for c in ("cpu", "wall")))
    if eager:
        spike = eager["median_us"]["eager spike"]
        yield Row("(f) eager spike", eager["target_us"], "µs", spike["cpu"], spike["wall"])
        for which, calls in (("", f"{eager['calls']:,} calls"), ("_of_the_first_tenth", "the first tenth of them")):
            gradient = eager[f"gradient_ratio{which}"] or {}
            what = f"(f) eager gradient / braintools, {calls}"
            yield Row(what, eager["target_ratio"], "×", gradient.get("cpu"), gradient.get("wall"))
    if imports:
        yield Row("import surgrad, in all", imports["target_s"], "CPU s", imports["cpu_s"]["surgrad"])
