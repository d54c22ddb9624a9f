"""Checks of the arguments of `fit`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from surgrad._kinds import require_callable, require_kind
from surgrad._numbers import require_whole
from surgrad.train._trackers import Tracker
from surgrad.train._validation import Metric


def several(track: Any) -> Sequence[Tracker]:
    """The trackers.

    Raises:
        TypeError: one lacks a method.
    """
    trackers = track if isinstance(track, (list, tuple)) else (track,)
    for tracker in trackers:
        require_kind("fit: track", tracker, Tracker, "a Tracker, with the methods start, log and close, or several")
    return trackers


def named_metrics(metrics: Any) -> dict[str, Metric]:
    """The metrics by name.

    Raises:
        TypeError: they have no names.
    """
    require_kind("fit: metrics", metrics, (Mapping, type(None)), 'functions by name, {"accuracy": accuracy}')
    return dict(metrics or {})


def require_numbers(*, patience: int | None, **numbers: int) -> None:
    require_whole("fit", **numbers, **({} if patience is None else {"patience": patience}))


def require_functions(validation: Any, patience: Any, metrics: Mapping[str, Metric], callbacks: Sequence[Any]) -> None:
    """Check what is called after each epoch.

    Raises:
        TypeError: something is no function.
        ValueError: validation data are left out, and needed.
    """
    require_kind("fit: callbacks", callbacks, (list, tuple), "a list of functions of an AfterEpoch")
    for name, metric in metrics.items():
        require_callable(f"fit: metrics[{name!r}]", metric, "a function of a network and a batch")
    for callback in callbacks:
        require_callable("fit: each of callbacks", callback, "a function of an AfterEpoch")
    for name, given in (("patience", patience is not None), ("metrics", metrics)):
        if given and validation is None:
            raise ValueError(f"fit: {name} needs validation data; give validation=samples.")
    if taken := {"epoch", "step", "loss", "validation_loss"} & metrics.keys():
        raise ValueError(f"fit: metrics must have other names than {', '.join(sorted(taken))}.")
