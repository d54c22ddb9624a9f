"""The study of all shapes: its plan, its runs, and its page.

python -m benchmarks.which_one plan study.db                     # what each stage has, and how long it will take
python -m benchmarks.which_one run study.db --stages 1,2         # goes on where it, or the committed rows, stopped
python -m benchmarks.which_one again study.db                    # where calibration loses too much: with fresh seeds
python -m benchmarks.which_one page study.db FOLDER              # README.md, pictures, summary.json, rows.csv.gz
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Container
from pathlib import Path

from benchmarks.which_one import plan, runs, statistics, summary
from benchmarks.which_one.problems import NETS, problems
from benchmarks.which_one.rules import RULES

ROWS = Path(__file__).with_name("results") / "rows.csv.gz"
"""The rows that are kept with the code."""


def table_of(path: Path) -> runs.Table:
    """The table in a file, for the present design; a new one begins with the rows that are kept with the code."""
    pairs, new = itertools.product(problems().values(), NETS.values()), not path.exists()
    table = runs.Table(path, {(problem.name, net.name): runs.design(problem, net) for problem, net in pairs})
    if new and ROWS.exists():
        table.read(ROWS)
    return table


def tell(stage: str, table: runs.Table) -> list[runs.Run]:
    """Say what of a stage is missing; return it."""
    planned = plan.planned([stage])
    missing = table.missing(planned)
    expected = plan.seconds(missing, table.results())
    shown = "unknown, no run has been timed" if expected is None else f"{expected / 3600:.2f} h"
    print(
        f"stage {stage}: {plan.STAGES[stage].about}: {len(missing)} of {len(planned)} runs missing; {shown}", flush=True
    )
    return missing


def run(
    table: runs.Table, stages: list[str], seeds: Container[int] = range(5), rules: Container[str] = tuple(RULES)
) -> None:
    """Run what is missing of some seeds and rules, stage by stage."""
    for stage in stages:
        missing = [one for one in tell(stage, table) if one.seed in seeds and one.rule in rules]
        finish(table, missing, f"stage {stage}")


def finish(table: runs.Table, missing: list[runs.Run], about: str) -> None:
    """Run what is missing; say so after each seed of a task and an architecture."""
    from benchmarks.which_one.training import finished

    begin = time.perf_counter()
    for (task, net, seed), group in itertools.groupby(missing, lambda one: (one.task, one.net, one.seed)):
        data, several = samples(task), list(group)
        for one in several:
            table.add(finished(one, data))
        minutes = (time.perf_counter() - begin) / 60
        print(f"{about}, {task}, {net}, seed {seed}: {len(several)} runs; {minutes:.1f} min", flush=True)


def again(table: runs.Table) -> None:
    """Run the cases in which calibration loses too much once more, with fresh seeds."""
    first = summary.first_seeds(table.results())
    failing = [loss for loss in statistics.losses(first, "calibrate") if loss.fails]
    planned = [run for loss in failing for run in statistics.again(loss)]
    finish(table, table.missing(planned), f"{len(failing)} cases with fresh seeds")


def samples(task: str) -> object:
    """The samples of a task, loaded once."""
    if task not in _SAMPLES:
        _SAMPLES[task] = problems()[task].data()
    return _SAMPLES[task]


_SAMPLES: dict[str, object] = {}


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.which_one")
    parser.add_argument("command", choices=("plan", "run", "again", "page"))
    parser.add_argument("database", type=Path)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("benchmarks/which_one/results"))
    parser.add_argument("--stages", default=",".join(name for name in plan.STAGES if name != "tiny"))
    parser.add_argument("--seeds", default="0,1,2,3,4", help="of the runs: two processes may take different ones")
    parser.add_argument("--rules", default=",".join(RULES), help="of the runs")
    given = parser.parse_args(arguments)
    table, stages = table_of(given.database), given.stages.split(",")
    if given.command == "page":
        from benchmarks.which_one.page import write

        write(table.results(), given.folder, stages)
        table.write(given.folder / ROWS.name)
    elif given.command == "again":
        again(table)
    elif given.command == "run":
        run(table, stages, set(map(int, given.seeds.split(","))), given.rules.split(","))
    else:
        for stage in stages:
            tell(stage, table)


if __name__ == "__main__":
    main(sys.argv[1:])
