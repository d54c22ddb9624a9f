"""The benchmark of surgrad beside its peers: JSON, a page and pictures.

python -m benchmarks.compare                    # all of it: benchmarks/results, and the README's table
python -m benchmarks.compare --resume           # the same, after an interruption: only what is missing
python -m benchmarks.compare --workload a --sizes 512,1024 --rounds 15 --out results/benchmarks
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import readme_table
from benchmarks.compare import environments, machine, page, rounds
from benchmarks.compare.cases import WORKLOADS, Case, cases
from benchmarks.compare.competitors import COMPETITORS, entered
from benchmarks.compare.processes import ENVIRONMENT, ROOT

OPERATIONS = {
    "elements": ("e", "benchmarks.elementwise", "--repeats", 1),
    "eager": ("f", "benchmarks.eager_call", "--calls", 300),
    "imports": ("f", "benchmarks.compare.imports", "--rounds", 1),
}
"""Programs without peers in other processes: their workload, the option for the number of repetitions, and how many of
them a round is."""

KEPT, SCRATCH = ROOT / "benchmarks" / "results", ROOT / "results" / "benchmarks"
"""Where results go: of all that there is, which are committed, and of anything less."""

LESS = ("workload", "sizes", "input", "competitors", "quick")
"""Options that leave something out."""

SLOW_STEPS = 4000
"""From this length on, a case has a fifth of the rounds: what takes seconds has less noise."""


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description="surgrad beside its peers.")
    known = ", ".join([*WORKLOADS, "e", "f"])
    parser.add_argument("--workload", help=f"letters, of {known} (default: all)")
    parser.add_argument("--sizes", type=_numbers, help="numbers of neurons, 512,1024 (default: those of the workload)")
    parser.add_argument("--input", choices=("dense", "sparse"), help="only cases with this input")
    parser.add_argument("--competitors", type=_names, help=f"names, of {', '.join(COMPETITORS)} (default: all)")
    parser.add_argument("--rounds", type=int, default=15, help="steps of each, >= 1 (default: 15)")
    parser.add_argument("--threads", type=int, default=2, help="of each competitor, >= 1 (default: 2)")
    parser.add_argument(
        "--python", action="append", type=_pair, default=[], metavar="NAME=PATH", help="interpreter of one"
    )
    parser.add_argument("--quick", action="store_true", help="tiny cases, to see that everything runs")
    parser.add_argument("--resume", action="store_true", help="keep the cases that the folder has from this commit")
    parser.add_argument(
        "--again",
        type=lambda text: text.split(","),
        help="workloads or cases of a number of inputs, as a:512,f, that are measured again; all others are kept as "
        "the folder has them, also if they are of another commit, which the page then says",
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="folder for JSON, page and pictures (default: benchmarks/results, which the README's table is made from, "
        "and results/benchmarks if anything is left out)",
    )
    found = parser.parse_args(arguments)
    found.full = found.out is None and not any(getattr(found, name) for name in LESS)
    found.out = found.out or (KEPT if found.full else SCRATCH)
    found.workload = found.workload or "".join([*WORKLOADS, "ef"])
    if unknown := sorted(set(found.workload) - set(WORKLOADS) - set("ef")):
        parser.error(f"--workload: unknown {', '.join(unknown)}; there are {known}.")
    if found.rounds < 1 or found.threads < 1:
        parser.error(f"--rounds and --threads must be at least 1, got {found.rounds} and {found.threads}.")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write after every case, and return 1 if a competitor failed parity."""
    asked = options(arguments)
    asked.out.mkdir(parents=True, exist_ok=True)
    log = asked.out / "log.txt"
    log.write_text("")
    results, start = about(asked), time.monotonic()
    kept = earlier(asked, results)
    measure(asked, results, kept.get("runs", []), log)
    for name, (letter, module, repetitions, each) in OPERATIONS.items():
        if name in kept:
            results[name] = kept[name]
        elif letter in asked.workload:
            count = 2 if asked.quick else each * asked.rounds
            results[name] = operation(module, [repetitions, str(count)], log)
    results["seconds"] = None if kept else round(time.monotonic() - start)
    save(results, asked.out)
    print(page.write(results, asked.out))
    if asked.full:
        readme_table.write(results)
    failed = [f for run in results["runs"] for f in run["competitors"].values() if f["status"] == "failed parity"]
    return int(bool(failed))


def measure(asked: argparse.Namespace, results: dict[str, Any], kept: list[dict[str, Any]], log: Path) -> None:
    """All cases that were asked for, but for those that are kept from an earlier run, into the results."""
    known = {(run["workload"], run["name"]): run for run in kept}
    names = asked.competitors or list(COMPETITORS)
    if not asked.quick:
        environments.make(names)
    pythons = environments.pythons(names) | dict(asked.python)
    for case in wanted(asked):
        if (case.workload, case.name) in known:
            results["runs"].append(known[case.workload, case.name])
            continue
        count = max(asked.rounds // 5, 3) if case.steps >= SLOW_STEPS else asked.rounds
        match = rounds.Match(case, entered(case, asked.competitors), log, pythons, asked.threads)
        results["runs"].append({"commit": results["commit"]["id"], **match.play(count)})
        rounds.report(f"({case.workload}) {case.name}", match.figures)
        save(results, asked.out)


def about(asked: argparse.Namespace) -> dict[str, Any]:
    """When, where and of what is measured, without any figures."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "options": {"rounds": asked.rounds, "threads": asked.threads, "quick": asked.quick},
        "machine": machine.machine(),
        "versions": machine.versions(),
        "commit": machine.commit(),
        "load": {"before": machine.load(), "after": None},
        "runs": [],
    }


def earlier(asked: argparse.Namespace, now: dict[str, Any]) -> dict[str, Any]:
    """What is kept of the results in the folder: after an interruption all, or all that is not to be measured again.

    Raises:
        SystemExit: they are of another machine or set of versions, or with other options; or after an interruption of
            another commit.
    """
    file = asked.out / "results.json"
    if not ((asked.resume or asked.again) and file.exists()):
        return {}
    before = json.loads(file.read_text(encoding="utf-8"))
    for key in ("machine", "versions", "options", *([] if asked.again else ["commit"])):
        if before[key] != now[key]:
            raise SystemExit(f"{file} has another {key}, {before[key]}; now it is {now[key]}.")
    again = set(asked.again or ())
    runs = [{"commit": before["commit"]["id"], **run} for run in before["runs"]]
    found = {"runs": [run for run in runs if not again & {run["workload"], f"{run['workload']}:{run['sizes'][0]}"}]}
    if not asked.again:
        return found
    operations = {name for name, (letter, *_) in OPERATIONS.items() if letter not in again}
    return found | {name: before[name] for name in operations & before.keys()}


def wanted(asked: argparse.Namespace) -> list[Case]:
    """The cases that were asked for."""
    found = [
        case for letter in WORKLOADS if letter in asked.workload for case in cases(letter, asked.sizes, asked.quick)
    ]
    if asked.input:
        found = [case for case in found if (case.activity is None) == (asked.input == "dense")]
    return found


def operation(module: str, arguments: list[str], log: Path) -> dict[str, Any] | None:
    """The numbers of a program that measures by itself; None where it fails."""
    with tempfile.TemporaryDirectory() as folder, log.open("a") as output:
        path = Path(folder) / "numbers.json"
        command = [sys.executable, "-m", module, *arguments, "--json", str(path)]
        done = subprocess.run(
            command, cwd=ROOT, env=os.environ | ENVIRONMENT, stdout=output, stderr=output, check=False
        )
        if done.returncode:
            print(f"{module} failed, see {log}", file=sys.stderr)
            return None
        return json.loads(path.read_text())


def save(results: dict[str, Any], folder: Path) -> None:
    """Write the JSON; NaN would not be JSON."""
    results["load"]["after"] = machine.load()
    (folder / "results.json").write_text(json.dumps(results, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


def _names(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in COMPETITORS:
            raise argparse.ArgumentTypeError(f"no competitor {name!r}; there are {', '.join(COMPETITORS)}")
    return names


def _pair(text: str) -> tuple[str, str]:
    name, _, path = text.partition("=")
    if not path:
        raise argparse.ArgumentTypeError(f"must be NAME=PATH, got {text!r}")
    return _names(name)[0], path


if __name__ == "__main__":
    raise SystemExit(main())
