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


def run(options: argparse.Namespace) -> int:
    """Train what is missing, and print the table. Mistakes are reported before the training begins."""
    require("optax", "rich", "sqlalchemy", *(["statsmodels"] if options.against else []))
    from surgrad.study import summarise

    study = _study(options.study)
    against = _against(study, options.against)
    database = options.database or _beside(study)
    begin = time.perf_counter()
    with reported(ConnectionError, ImportError, FileNotFoundError, KeyError, TypeError, ValueError):
        rows, signal = _train(study, database, options)
    print_table(summarise(rows))
    if signal is not None:
        text = "the same command goes on with the others"
        print(f"stopped: {len(rows)} of {len(study.runs)} runs are in {database}; {text}", file=sys.stderr)
        return 128 + signal
    if against is not None:
        from surgrad.study import compare

        with reported(ValueError):
            print_comparisons(compare(rows, against=against))
    print(f"{len(study.runs)} runs in {time.perf_counter() - begin:.0f} s; kept in {database}", file=sys.stderr)
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
    total = sum(settings.epochs * len(settings.seeds) for settings in study.grid) * len(study.variants)
    rows = study.rows(database, older=options.older)
    memory = None if options.memory is None else 1e6 * options.memory
    with stop_on_signals() as stop, progress(total) as (advance, say):
        advance("compiling", int(sum(row.epochs for row in rows)))

        def tick(runs: Sequence[Run]) -> None:
            advance(runs[0].variant.name, len(runs))
            stop.obey()

        def finished(new: list[Row]) -> None:
            rows.extend(new)
            say(f"{new[0].surrogate}: {len(new)} runs finished ({len(rows)} of {len(study.runs)})")

        told: dict[str, Any] = {"tick": tick, "finished": finished, "tell": say}
        try:
            return study.run(database, **told, older=options.older, memory=memory), None
        except StoppedError:
            return study.rows(database, older=options.older), stop.signal
