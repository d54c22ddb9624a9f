"""Surrogates made from one function, a slope or a curve."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, Self

from surgrad._answers import unexpected_keyword
from surgrad._pytree import Pytree
from surgrad._surrogate import Surrogate
from surgrad._types import Curve, Membrane, Slope


class _FromFunction(Surrogate):
    """A surrogate whose hyperparameters are the keywords of a function."""

    function: Callable[..., Any]
    names: tuple[str, ...]

    def __init__(self, function: Callable[..., Any], **parameters: Any) -> None:
        super().__init__()
        if not callable(function):
            raise TypeError(f"{type(self).__name__}: expected a function of x, got {function!r}.")
        known = _defaults(function)
        for name in parameters.keys() - known.keys():
            raise unexpected_keyword(_name(function), name, known)
        self.function = function
        self.names = tuple(known)
        for name, value in (known | parameters).items():
            if value is inspect.Parameter.empty:
                raise TypeError(f"{_name(function)}: the parameter {name!r} has no default; give {name}=...")
            if hasattr(Surrogate, name):
                raise ValueError(
                    f"{_name(function)}: a parameter cannot be called {name!r}, a name that surrogates use."
                )
            setattr(self, name, value)

    def _can_hold(self, name: str) -> bool:
        return super()._can_hold(name) or name in self.names

    def _evaluate(self, x: Membrane) -> Any:
        return self.function(x, **{n: getattr(self, n) for n in self.names})

    def replace(self, **changes: Any) -> Self:
        """Return a copy with other values of the function's parameters, or of options."""
        options = {field.name for field in dataclasses.fields(self)}  # type: ignore[arg-type]
        for name in changes.keys() - options - set(self.names):
            raise unexpected_keyword(_name(self.function), name, self.names)
        return super().replace(**changes)

    def __repr__(self) -> str:
        shown = "".join(f", {n}={getattr(self, n)!r}" for n in self.names)
        return f"{_constructors[type(self)]}({_name(self.function)}{shown})"


class FromGrad(_FromFunction):
    """A surrogate with a given slope and no curve; made by `from_grad`."""

    def surrogate_grad(self, x: Membrane) -> Any:
        return self._evaluate(x)


class FromFun(_FromFunction):
    """A surrogate with a given curve, whose derivative is the slope; made by `from_fun`."""

    def surrogate_fun(self, x: Membrane) -> Any:
        return self._evaluate(x)


_constructors: dict[type, str] = {FromGrad: "from_grad", FromFun: "from_fun"}


def from_grad(function: Callable[..., Slope], **parameters: Any) -> FromGrad:
    """Return a surrogate with the slope `function(x, **hyperparameters)`; usable as a decorator.

    The keywords of the function become hyperparameters, with their defaults; numbers are leaves. `replace` returns a
    copy with other values. The surrogate has no curve.

        >>> boxcar = surgrad.from_grad(lambda x, width=1.0: 1.0 * (abs(x) < width / 2))
        >>> [float(jax.grad(boxcar.replace(width=0.4))(x)) for x in (0.1, 0.3)]
        [1.0, 0.0]

    Raises:
        TypeError: the function has no such parameter, or a parameter has no value.
    """
    return FromGrad(function, **parameters)  # pyright: ignore[reportCallIssue]


def from_fun(function: Callable[..., Curve], **parameters: Any) -> FromFun:
    """Return a surrogate with the curve `function(x, **hyperparameters)`; its slope is the curve's derivative.

    Hyperparameters and errors are those of `from_grad`.

        >>> tanh = surgrad.from_fun(lambda x, k=1.0: (1 + jnp.tanh(k * x)) / 2, k=4.0)
        >>> float(jax.grad(tanh)(0.0))
        2.0
    """
    return FromFun(function, **parameters)  # pyright: ignore[reportCallIssue]


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", repr(function))


def _defaults(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the parameters of a function after its first, with their defaults."""
    if isinstance(function, Pytree):
        raise TypeError(f"expected a function of x, got {function!r}, which is a surrogate already.")
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:  # some compiled functions have no signature
        return {}
    return {p.name: p.default for p in parameters[1:] if p.kind in kinds}
