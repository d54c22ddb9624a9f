"""Train a small spiking network with several surrogates, scales and seeds, and compare the results.

The network has one hidden layer of leaky integrate-and-fire neurons. A surrogate NAME is trained at every scale: scale
s makes its default shape s times steeper, and its largest slope is 1. NAME:PARAMETER=VALUE,VALUE varies a
hyperparameter instead of the scale, and does not rescale the slope. Interrupted and started again with the same
options, it goes on where it was.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from surgrad._config import encode
from surgrad._kinds import called
from surgrad.cli import _specs as specs
from surgrad.cli._folder import Folder
from surgrad.cli._progress import progress
from surgrad.cli._signals import StoppedError, stop_on_signals
from surgrad.cli._table import print_table
from surgrad.cli._usage import at_least, reported, require

if TYPE_CHECKING:  # the study needs Optax, which may be missing
    from surgrad.study import Row, Run, Settings, Summary, Variant

SURROGATES = "sigmoid,arctan,piecewise_quadratic,gaussian_grad"
SCALES = "0.1,1,100"
COLUMNS = (
    *("surrogate", "parameter", "value", "seed"),
    *("test_accuracy", "test_loss", "train_loss", "firing_rate", "seconds", "kind"),
)
"""The columns of `runs.csv`."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add = parser.add_argument
    add("--data", default="digits", type=specs.task, metavar="TASK", help=specs.TASK)
    add("--surrogates", default=SURROGATES, type=specs.parse, metavar="LIST", help=specs.LIST)
    text = "steepness relative to the default shape, with a largest slope of 1"
    add("--scales", default=SCALES, type=specs.scales, metavar="LIST", help=text)
    add("--seeds", default=3, type=at_least(1), metavar="N", help="number of runs for each surrogate and scale")
    add(
        "--seed",
        default=0,
        type=at_least(0),
        metavar="K",
        help="first seed of the runs, and seed of the split of the data",
    )
    add("--epochs", default=12, type=at_least(1), metavar="E", help="passes through the training samples")
    add(
        "--mapping",
        default="auto",
        choices=("auto", "map", "vmap"),
        help="whether runs are computed one by one (map) or all at once (vmap)",
    )
    add("--out", default="results/compare", metavar="FOLDER", help="folder of runs.csv, results.json and compare.png")


def run(options: argparse.Namespace) -> int:
    """Train, print the table and write the folder. Mistakes are reported before the training begins."""
    require("optax", "rich", "matplotlib", "sqlalchemy")
    from surgrad.study import Settings, load, summarise

    name, task_options = options.data
    variants = _variants(options)
    settings = Settings(
        data=name,
        options=task_options,
        seeds=tuple(range(options.seed, options.seed + options.seeds)),
        split_seed=options.seed,
        epochs=options.epochs,
        mapping=None if options.mapping == "auto" else options.mapping,
    )
    with reported(ImportError, FileNotFoundError, TypeError, ValueError):
        load(settings)
    folder = Folder(options.out, COLUMNS)
    begin = time.perf_counter()
    rows, signal = _train(variants, settings, folder)
    summary = summarise(rows)
    if rows:
        folder.write(_results(variants, settings, rows, summary, finished=signal is None))
        print_table(summary)
        _draw(folder, summary)
    total, seconds = len(variants) * len(settings.seeds), time.perf_counter() - begin
    if signal is not None:
        print(f"stopped: the {len(rows)} runs of {total} that had finished are in {folder.path}", file=sys.stderr)
        return 128 + signal
    print(f"{total} runs in {seconds:.0f} s; written to {folder.path}", file=sys.stderr)
    return 0


def _variants(options: argparse.Namespace) -> list[Variant]:
    """Every surrogate at every scale, or at the values of its hyperparameter, each once."""
    from surgrad.study import Variant, at_unit_peak

    variants: list[Variant] = []
    for spec in options.surrogates:
        surrogates = spec.surrogates()
        if spec.parameter is None:
            with reported(ValueError):
                variants += [Variant(spec.name, "scale", s, at_unit_peak(surrogates[0], s)) for s in options.scales]
        else:
            settings = zip(spec.values, surrogates, strict=True)
            variants += [Variant(spec.name, spec.parameter, float(v), surrogate) for v, surrogate in settings]
    return list(dict.fromkeys(variants))


def _train(variants: list[Variant], settings: Settings, folder: Folder) -> tuple[list[Row], int | None]:
    """The rows of the runs that finished, and the number of the signal that stopped the study, or None."""
    from surgrad.study import Study

    study = Study("compare", variants, [settings])
    # The name says which options the rows are of, so that others may follow in the same folder.
    study = dataclasses.replace(study, name=f"compare {study.checksum[:12]}")
    with reported(ConnectionError):
        rows = study.rows(folder.database)
    if rows:
        folder.append(rows)
        text = f"had finished before; delete {folder.path / 'runs.db'} to begin anew"
        print(f"{len(rows)} of {len(study.runs)} runs {text}", file=sys.stderr)
    with stop_on_signals() as stop, progress(len(study.runs) * settings.epochs) as (advance, say):
        advance("compiling", len(rows) * settings.epochs)

        def tick(runs: Sequence[Run]) -> None:
            advance(runs[0].variant.name, len(runs))
            stop.obey()

        def finished(new: list[Row]) -> None:
            folder.append(new)
            rows.extend(new)
            seconds = sum(row.seconds for row in new)
            say(f"{new[0].surrogate}: {len(new)} runs in {seconds:.1f} s ({len(rows)} of {len(study.runs)})")

        with contextlib.suppress(StoppedError):
            rows = study.run(folder.database, tick=tick, finished=finished, tell=say)
    return rows, stop.signal


def _results(
    variants: list[Variant], settings: Settings, rows: list[Row], summary: list[Summary], finished: bool
) -> dict[str, Any]:
    """The contents of `results.json`."""
    return {
        "finished": finished,
        "settings": dataclasses.asdict(settings) | {"build": called(settings.build)},
        "variants": [
            {"name": v.name, "parameter": v.parameter, "value": v.value, "surrogate": encode(v.surrogate)}
            for v in variants
        ],
        "rows": rows,
        "summary": summary,
    }


def _draw(folder: Folder, summary: list[Summary]) -> None:
    from surgrad import plot

    folder.draw(plot.study(summary))
