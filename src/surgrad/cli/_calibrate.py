"""Set the scale of each surrogate of a network from a forward pass, and print a diagnosis of the network.

For a task, the network has hidden layers of leaky integrate-and-fire neurons, whose surrogate has a largest slope of 1.
A function of yours returns a model and a batch: a Dataset, or time-major inputs, (time, *batch, features).
"""

from __future__ import annotations

import argparse
from typing import Any

from surgrad.cli import _specs as specs
from surgrad.cli import _subject as subject
from surgrad.cli._usage import reported, require
from surgrad.tasks import Dataset

RETURNS = "(model, batch)"
SAMPLES = 256


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    subject.arguments(parser, RETURNS)
    text = "surrogate of the hidden neurons, NAME or NAME:PARAMETER=VALUE"
    parser.add_argument("--surrogate", default="sigmoid", type=specs.one, metavar="SURROGATE", help=text)
    parser.add_argument(
        "--target",
        type=float,
        metavar="SHARE",
        help="mean of √(slope/peak) to reach, above 0 and below 1 (default: meta.default_target)",
    )


def run(options: argparse.Namespace) -> int:
    """Print the table of the calibration, the calibrated surrogates, and the diagnosis."""
    require("optax")
    from surgrad.meta import calibrate, diagnose

    model, batch = _subject(options)
    target = {} if options.target is None else {"target": options.target}
    with reported(TypeError, ValueError):
        done = calibrate(model, batch, **target)
        _print(done)
        if isinstance(batch, Dataset):
            print(diagnose(done.model, batch))
    return 0


def _subject(options: argparse.Namespace) -> tuple[Any, Any]:
    if subject.is_function(options.subject):
        model, batch = subject.returned(options.subject, RETURNS, _calls, _holds)
        return model, batch
    import jax
    import jax.numpy as jnp

    from surgrad import train
    from surgrad._combine import Normalized

    data = subject.load(options.subject, options.seed).train
    sizes = subject.network_options(options)
    with reported(ValueError):
        spike = Normalized(options.surrogate, to="peak")
    model = train.classifier(spike, data, key=jax.random.key(options.seed), **sizes)
    return model, data[jnp.arange(min(SAMPLES, len(data)))]


def _calls(found: Any) -> bool:
    from surgrad.nn._contract import is_cell

    return is_cell(found) and callable(found)


def _holds(found: Any) -> bool:
    return isinstance(found, Dataset) or hasattr(found, "dtype")


def _print(done: Any) -> None:
    """The table of a calibration, and its surrogates as they are written in Python."""
    from surgrad.meta import surrogates

    print(done)
    for name, surrogate in surrogates(done.model).items():
        print(f"{name}: {surrogate!r}")
