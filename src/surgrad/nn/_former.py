"""Names from before the first release, which still work with a `DeprecationWarning`. To be removed with release 0.3."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Array

from surgrad.nn._cells import LeakyIntegrator
from surgrad.nn._foreign import Lambda
from surgrad.nn._linear import Linear
from surgrad.nn._readout import FirstSpikeTime, LastStep, MaxOverTime, MeanOverTime

F = TypeVar("F", bound=Callable[..., Any])


class _Dense:
    """`Linear` as it was: made of arrays, or drawn by `random`."""

    def __call__(self, *arguments: Any, **options: Any) -> Linear:
        if len(arguments) < 2 and "weight" not in options and not np.ndim(arguments[0] if arguments else 0):
            given = ", ".join([*map(repr, arguments), *options])
            raise TypeError(
                f"surgrad.nn.Dense is now surgrad.nn.Linear(in_features, out_features, key=key), got ({given}). It "
                f"needs the number of inputs too, which layers of Flax and Keras take from their first input."
            )
        return Linear(*arguments, **options) if "key" in options else Linear.from_arrays(*arguments, **options)

    def random(self, key: Array, inputs: int, outputs: int, gain: float = 1.0, **options: Any) -> Linear:
        """A layer with random weights."""
        return Linear(inputs, outputs, key=key, gain=gain, **options)


_FORMER: dict[str, tuple[Any, str]] = {
    "Dense": (_Dense(), "Linear(in_features, out_features, key=key) or Linear.from_arrays(weight, bias)"),
    "FirstSpike": (FirstSpikeTime, "FirstSpikeTime"),
    "Function": (Lambda, "Lambda"),
    "LI": (LeakyIntegrator, "LeakyIntegrator"),
    "Last": (LastStep, "LastStep"),
    "Peak": (MaxOverTime, "MaxOverTime"),
    "Rate": (MeanOverTime, "MeanOverTime"),
}


def former(name: str) -> Any:
    """What a former name stood for, with a warning; None if it is not one."""
    value, now = _FORMER.get(name, (None, ""))
    if value is not None:
        warnings.warn(f"surgrad.nn.{name} is now surgrad.nn.{now}.", DeprecationWarning, stacklevel=3)
    return value


def takes_former_keywords(**names: str) -> Callable[[F], F]:
    """A decorator for functions that still take keywords under their former names, `former=now`, with a warning."""

    def decorated(function: F) -> F:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            for name in kwargs.keys() & names:
                now = names[name]
                warnings.warn(f"{function.__name__}: {name}= is now {now}=.", DeprecationWarning, stacklevel=2)
                kwargs[now] = kwargs.pop(name)
            return function(*args, **kwargs)

        return wrapped  # pyright: ignore[reportReturnType]

    return decorated
