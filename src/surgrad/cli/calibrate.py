"""Set the scale of each surrogate of a network from one forward pass, and say what is wrong with the network.

For a task the network has hidden layers of leaky integrate-and-fire neurons, with the surrogate at unit peak.
MODULE:FUNCTION returns a model and a batch: a Dataset, or inputs, time first.
"""

from __future__ import annotations

import argparse
from typing import Any

from surgrad.cli import specs, subject
from surgrad.cli.usage import UsageError, reported, require
from surgrad.tasks import Dataset

RETURNS = "(model, batch)"
SAMPLES = 256


def arguments(parser: argparse.ArgumentParser) -> None:
    """What to calibrate."""
    subject.arguments(parser, RETURNS)
    text = "NAME or NAME:PARAMETER=VALUE, of the hidden neurons"
    parser.add_argument("--surrogate", default="sigmoid", metavar="SURROGATE", help=text)
    parser.add_argument(
        "--target",
        type=float,
        metavar="SHARE",
        help="mean root of slope over peak (default: meta.default_target)",
    )


def run(options: argparse.Namespace) -> int:
    """Print a table of the surrogates, the calibrated surrogates, and the diagnosis."""
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

    found = specs.parse(options.surrogate)
    if len(found) != 1 or len(found[0].surrogates()) != 1:
        raise UsageError(f"--surrogate takes one surrogate, got {options.surrogate!r}.")
    data = subject.load(options.subject, options.seed).train
    sizes = subject.network_options(options)
    with reported(ValueError):
        spike = Normalized(found[0].surrogates()[0], to="peak")
    model = train.classifier(jax.random.key(options.seed), spike, data, **sizes)
    return model, data[jnp.arange(min(SAMPLES, len(data)))]


def _calls(found: Any) -> bool:
    from surgrad.nn.contract import is_cell

    return is_cell(found) and callable(found)


def _holds(found: Any) -> bool:
    return isinstance(found, Dataset) or hasattr(found, "dtype")


def _print(done: Any) -> None:
    """The table of a calibration, and its surrogates as they are written in Python."""
    from surgrad.meta import surrogates

    print(done)
    for name, surrogate in surrogates(done.model).items():
        print(f"{name}: {surrogate!r}")
