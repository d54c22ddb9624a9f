"""surgrad beside its peers on a GPU, in less than eight minutes: JSON after each case, and a page.

    python -m benchmarks.gpu --out DIR [--wheels FOLDER]       # needs JAX and PyTorch for CUDA
    python -m benchmarks.gpu --out DIR --rehearse              # tiny cases on a CPU, to see that everything runs

A machine without a GPU gets a page on which nothing is measured.
"""

from __future__ import annotations

import argparse
import datetime
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.compare import machine, rounds
from benchmarks.compare.cases import Case
from benchmarks.compare.competitors import COMPETITORS, entered
from benchmarks.gpu import device, page, wheels
from benchmarks.gpu.cases import WORKLOADS, cases
from benchmarks.gpu.match import ROUNDS, Budget, DeviceMatch, skipped

SECONDS = 450.0
"""What a run may take unless told otherwise."""


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description="surgrad beside its peers on a GPU.")
    parser.add_argument("--out", type=Path, required=True, help="folder for JSON, page and log")
    parser.add_argument("--wheels", type=Path, help="folder of wheels to install first, for these processes alone")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"time to stop after (default: {SECONDS:g})")
    parser.add_argument("--workload", help=f"only these, of {','.join(WORKLOADS)} (default: all)")
    parser.add_argument("--competitors", help=f"only these, of {','.join(COMPETITORS)} (default: all that have a GPU)")
    parser.add_argument("--rehearse", action="store_true", help="tiny cases on the CPU; no figure means anything")
    found = parser.parse_args(arguments)
    for name, known in (("workload", WORKLOADS), ("competitors", COMPETITORS)):
        given = getattr(found, name)
        setattr(found, name, given.split(",") if given else None)
        if unknown := sorted(set(getattr(found, name) or ()) - set(known)):
            parser.error(f"--{name}: unknown {', '.join(unknown)}; there are {', '.join(known)}.")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write after every case, and return 1 if a competitor failed parity."""
    asked, budget = options(arguments), None
    asked.out.mkdir(parents=True, exist_ok=True)
    budget = Budget(asked.seconds)
    with tempfile.TemporaryDirectory() as site:
        installed = wheels.install(asked.wheels, Path(site)) if asked.wheels else None
        results = run(asked, budget, device.environment(asked.rehearse, installed))
    figures = [found for one in results["runs"] for found in one["competitors"].values()]
    return int(any(found["status"] == "failed parity" for found in figures))


def run(asked: argparse.Namespace, budget: Budget, environment: dict[str, str]) -> dict[str, Any]:
    """All cases that were asked for, each with its figures or the reason why it has none."""
    wanted = [case for case in cases(asked.rehearse) if case.workload in (asked.workload or WORKLOADS)]
    results = about(asked)
    nowhere = results["card"] is None and not asked.rehearse
    reason = "no GPU here." if nowhere else "the run ended before."
    results["runs"] = [skipped(case, names(case, asked.competitors), reason) for case in wanted]
    save(results, asked.out)
    if nowhere:
        return results
    for place, case in enumerate(wanted):
        who = names(case, asked.competitors)
        if not budget.fits(case):
            results["runs"][place] = skipped(case, who, "out of time.")
            continue
        where = "cpu" if asked.rehearse else "gpu"
        with budget.taken(case):
            match = DeviceMatch(case, who, asked.out / "log.txt", budget, where, environment)
            results["runs"][place] = match.play(ROUNDS)
        for found in match.figures.values():  # from wheels, which these processes alone have
            results["versions"] |= found["versions"] or {}
        rounds.report(f"({case.workload}) {case.name}, {budget.left():.0f} s left", match.figures)
        save(results, asked.out)
    save(results, asked.out)
    return results


def names(case: Case, asked: list[str] | None) -> list[str]:
    """Who takes part in a case: those that have its network, of some or of all."""
    return [name for name in entered(case, asked, "gpu") if case.architecture in COMPETITORS[name].architectures]


def about(asked: argparse.Namespace) -> dict[str, Any]:
    """Where, when and on what is measured."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "options": {"rounds": ROUNDS, "seconds": asked.seconds, "rehearsal": asked.rehearse},
        "card": device.card(),
        "machine": machine.machine(),
        "versions": device.versions(),
        "commit": machine.commit(),
    }


def save(results: dict[str, Any], folder: Path) -> None:
    """Write the JSON and its page."""
    (folder / "results.json").write_text(json.dumps(results, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    page.write(results, folder)


if __name__ == "__main__":
    raise SystemExit(main())
