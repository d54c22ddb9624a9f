"""Run a study that a file describes, keep its rows in a database, and go on where it was.

The study is a TOML file, or a function of yours, MODULE:FUNCTION, that returns a surgrad.study.Study. Interrupted or
killed, and started again, it does what is missing. With --workers several processes share the work, with --slurm they
are jobs of a cluster; each can be killed without loss.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surgrad.cli import _subject as subject
from surgrad.cli import _workers as workers
from surgrad.cli._progress import progress
from surgrad.cli._signals import StoppedError, stop_on_signals
from surgrad.cli._table import print_comparisons, print_table
from surgrad.cli._usage import UsageError, at_least, reported, require, writing

if TYPE_CHECKING:  # the study needs Optax, which may be missing
    from surgrad.study import Row, Run, Study

RETURNS = "a surgrad.study.Study"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add = parser.add_argument
    add("study", metavar="STUDY", help=f"FILE.toml, or a function of yours, MODULE:FUNCTION, that returns {RETURNS}")
    text = "address of the database, sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME (default: results/NAME.db)"
    add("--database", metavar="URL", help=text)
    text = "compare all others with this surrogate, paired by seed; with its value if there are several"
    add("--against", metavar="NAME[:VALUE]", help=text)
    add("--older", action="store_true", help="take rows of older versions of surgrad for done")
    text = "megabytes that a compiled program may need (default: half of what is free)"
    add("--memory", type=at_least(1), metavar="MB", help=text)
    add("--workers", type=at_least(1), metavar="N", help="share the study among N processes")
    text = "start the workers as jobs of Slurm, with options of submitit, timeout_min=600,slurm_partition=gpu"
    add("--slurm", nargs="?", const="", metavar="OPTION=VALUE,...", help=text)
    text = "seconds between two signs of life of a worker; after three without one its runs go to another"
    add("--heartbeat", default=10, type=at_least(1), metavar="SECONDS", help=text)
    text = "be worker number K of a study: how the command starts its workers, and how you start one by hand"
    add("--worker", type=at_least(0), metavar="K", help=text)


def run(options: argparse.Namespace) -> int:
    """Train what is missing, and print the table. Mistakes are reported before the training begins."""
    if options.slurm is not None and options.workers is None:
        raise UsageError("--slurm needs the number of jobs, --workers N.")
    shared = options.workers is not None or options.worker is not None
    require(
        *("optax", "rich", "sqlalchemy"),
        *(["statsmodels"] if options.against else []),
        *(["optuna"] if shared else []),
        *(["submitit"] if options.slurm is not None else []),
    )

    study = _study(options.study)
    against = _against(study, options.against)
    database = options.database or _beside(study)
    mistakes = reported(ConnectionError, ImportError, FileNotFoundError, KeyError, RuntimeError, TypeError, ValueError)
    begin = time.perf_counter()
    with mistakes:
        if options.worker is not None:
            return workers.be_one(study, database, options)
        rows, signal = (workers.supervise if options.workers else _train)(study, database, options)
    return _report(study, database, rows, signal, against, time.perf_counter() - begin)


def _report(study: Study, database: str, rows: list[Row], signal: int | None, against: Any, seconds: float) -> int:
    """Print what the study has found, and return the exit code."""
    from surgrad.study import summarise

    print_table(summarise(rows))
    if signal is not None:
        text = "the same command goes on with the others"
        print(f"stopped: {len(rows)} of {len(study.runs)} runs are in {database}; {text}", file=sys.stderr)
        return 128 + signal
    if against is not None:
        from surgrad.study import compare

        with reported(ValueError):
            print_comparisons(compare(rows, against=against))
    print(f"{len(study.runs)} runs in {seconds:.0f} s; kept in {database}", file=sys.stderr)
    return 0


def _study(text: str) -> Study:
    from surgrad.study import Study

    if text.endswith(".toml"):
        with reported(FileNotFoundError, KeyError, TypeError, ValueError):
            return Study.from_toml(text)
    if not subject.is_function(text):
        raise UsageError(f"STUDY must be FILE.toml or MODULE:FUNCTION, got {text!r}.")
    with reported(TypeError, ValueError):
        found = subject.call(text)
    if not isinstance(found, Study):
        raise UsageError(f"{text} must return {RETURNS}, got {type(found).__name__}.")
    return found


def _against(study: Study, text: str | None) -> Any:
    """The surrogate that others are compared with, as `study.compare` takes it."""
    if text is None:
        return None
    name, colon, value = text.partition(":")
    if name not in {variant.name for variant in study.variants}:
        known = ", ".join(dict.fromkeys(variant.name for variant in study.variants))
        raise UsageError(f"--against: the study has no surrogate {name!r}; it has {known}.")
    try:
        return (name, float(value)) if colon else name
    except ValueError as error:
        raise UsageError(f"--against: the value must be a number, got {value!r}.") from error


def _beside(study: Study) -> str:
    """The address of a database in the folder of results."""
    path = Path("results") / f"{study.name}.db"
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{path}"


def _train(study: Study, database: str, options: argparse.Namespace) -> tuple[list[Row], int | None]:
    """The rows of the runs that finished, and the number of the signal that stopped the study, or None."""
    rows = study.rows(database, older=options.older)
    with stop_on_signals() as stop, progress(workers.epochs(study)) as (advance, say):
        advance("compiling", int(sum(row.epochs for row in rows)))

        def tick(runs: Sequence[Run]) -> None:
            advance(runs[0].variant.name, len(runs))
            stop.obey()

        def finished(new: list[Row]) -> None:
            rows.extend(new)
            say(f"{new[0].surrogate}: {len(new)} runs finished ({len(rows)} of {len(study.runs)})")

        told: dict[str, Any] = {"tick": tick, "finished": finished, "tell": say}
        try:
            return study.run(database, **told, older=options.older, memory=workers.memory(options)), None
        except StoppedError:
            return study.rows(database, older=options.older), stop.signal
