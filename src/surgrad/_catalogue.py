"""The catalogue of surrogates: their functional forms, and their names.

A class enters the catalogue with its functional form, `sigmoid = functional(Sigmoid)`.
"""

from __future__ import annotations

import functools
import inspect
import re
import types
from collections.abc import Callable, Iterable
from types import MappingProxyType
from typing import Any, TypeVar

from surgrad._answers import attribute_error, in_our_names, nearest_names, place_of, surrogate_answer
from surgrad._constructors import constructor_parameters
from surgrad._kinds import require_choice
from surgrad._surrogate import Surrogate
from surgrad._types import Input, Spikes

F = TypeVar("F", bound=Callable[..., Any])
_LEFT_OUT: Any = object()

Functional = Callable[..., Spikes]
"""A surrogate as a function, `f(x, **hyperparameters)`."""

_CATALOGUE: dict[str, type[Surrogate]] = {}


class _NoModule:
    """A function under whose name other libraries have a module: it says where the names of that are here."""

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.__wrapped__(*args, **kwargs)  # type: ignore[attr-defined]

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """Bind as functions do, which is also how `inspect` knows them."""
        return self if instance is None else types.MethodType(self, instance)

    def __getattr__(self, name: str) -> Any:
        raise attribute_error(f"surgrad.{vars(self).get('__name__', '')}", name, ())

    def __reduce__(self) -> str:
        return self.__name__


def _no_module(function: F) -> F:
    return _NoModule(function)  # type: ignore[return-value]


@_no_module
def functional(cls: type[Surrogate]) -> Functional:
    """Return the functional form of a surrogate, `f(x, **hyperparameters)`, and add its class to the catalogue.

    The catalogue has it under its name, or with its module, `"module.Name"`, if another class has that name already.

    >>> spikes = surgrad.functional(surgrad.Sigmoid)
    >>> float(jax.grad(spikes)(0.0, alpha=8.0))
    2.0
    """

    def spikes(x: Input = _LEFT_OUT, *args: Any, **kwargs: Any) -> Spikes:
        if x is _LEFT_OUT:
            raise TypeError(_without_x(cls, kwargs))
        return cls(*args, **kwargs)(x)

    x = inspect.Parameter("x", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    spikes.__name__ = spikes.__qualname__ = snake_case(cls.__name__)
    spikes.__module__ = cls.__module__
    spikes.__doc__ = f"Spikes of x; the same as `{cls.__name__}(...)(x)`.\n\n{inspect.getdoc(cls)}"
    spikes.__signature__ = inspect.Signature([x, *constructor_parameters(cls)])  # type: ignore[attr-defined]
    _CATALOGUE[_entry(cls)] = cls
    return spikes


def _entry(cls: type[Surrogate]) -> str:
    """Return the name of a class in the catalogue: with its module if another class has the same name there.

    A class that is defined once more, as when a cell of a notebook runs again, takes the place of the former one.
    """
    held = _CATALOGUE.get(cls.__name__)
    full = f"{cls.__module__}.{cls.__qualname__}"
    return cls.__name__ if held is None or f"{held.__module__}.{held.__qualname__}" == full else full


def _without_x(cls: type[Surrogate], given: dict[str, Any]) -> str:
    """Return the message for a functional form that is called with hyperparameters alone, as makers elsewhere are."""
    known = [p.name for p in constructor_parameters(cls)]
    name, named = snake_case(cls.__name__), in_our_names(cls.__name__, given, known)
    try:
        instead = repr(cls(**named))
    except (TypeError, ValueError) as error:
        instead, end = f"{cls.__name__}(...)", f"; {error}"
    else:
        end = "."
    place = place_of(cls.__name__).rpartition(".")[0]
    written = f"{place}.{instead}" if place else instead
    return f"{name} needs x, since it returns spikes, {name}(x, ...); for the surrogate itself write {written}{end}"


TAGS = {
    "finite support": "the slope is 0 outside a window",
    "heavy tail": "the slope falls more slowly than any exponential, or never",
    "asymmetric": "the slope differs from one side of the threshold to the other",
    "not a density": "the area of the slope is not 1, or the slope is negative somewhere",
    "stochastic": "a key takes part",
    "several spikes": "the slope has more thresholds than one, for several spikes a time step",
}
"""What the slope of a class can be like at its defaults, as `Surrogate.tags` says it."""


def catalogue(*tags: str, without: str | Iterable[str] = ()) -> MappingProxyType[str, type[Surrogate]]:
    """Return all surrogates that have a functional form, by class name, in alphabetical order.

    >>> surgrad.catalogue()["Sigmoid"](alpha=2.0)
    Sigmoid(alpha=2.0)
    >>> windows = surgrad.catalogue("finite support", without="not a density")
    >>> "Boxcar" in windows, "Sigmoid" in windows
    (True, False)

    Parameters:
        tags: the tags that a surrogate must have, all of them: `"finite support"`, `"heavy tail"`, `"asymmetric"`,
            `"not a density"`, `"stochastic"`, `"several spikes"`. They describe the slope at the defaults.
        without: the tags that it must not have.

    Raises:
        ValueError: there is no such tag.
    """
    absent = {without} if isinstance(without, str) else set(without)
    for tag in (*tags, *absent):
        require_choice("catalogue", "tag", tag, tuple(TAGS))
    kept = {name: kind for name, kind in _CATALOGUE.items() if kind.tags >= set(tags) and not kind.tags & absent}
    return MappingProxyType(dict(sorted(kept.items())))


def lookup(name: str) -> type[Surrogate]:
    """Return the class of a surrogate from the name of its class or function.

    Raises:
        KeyError: there is no such surrogate; the message lists the nearest names.
    """
    names = {n: cls for key, cls in _CATALOGUE.items() for n in (key, snake_case(key))}
    if name not in names:
        functions = sorted(map(snake_case, _CATALOGUE))
        near = nearest_names(name, functions)
        listed = f"{'the nearest' if near else 'there'} are {', '.join(near or functions)}"
        raise KeyError(f"no surrogate {name!r}; {surrogate_answer(name) or listed}.")
    return names[name]


def snake_case(name: str) -> str:
    """Return the name of a function from that of its class: `QPseudoSpike` → `q_pseudo_spike`, `S2NN` → `s2nn`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def built_in() -> list[type[Surrogate]]:
    """Return the classes of the catalogue that belong to this library, in the order of their definition."""
    return [kind for kind in _CATALOGUE.values() if kind.__module__.startswith("surgrad.")]


def kind_name(surrogate: Surrogate | type[Surrogate]) -> str:
    """Return the name of a surrogate's class in tables: with its module, unless the class is one of `built_in`."""
    kind = surrogate if isinstance(surrogate, type) else type(surrogate)
    return kind.__name__ if kind in built_in() else f"{kind.__module__}.{kind.__qualname__}"
