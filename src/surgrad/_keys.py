"""Keys of random numbers: how they are recognised, and functions that take one by name or as first argument."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

Function = TypeVar("Function", bound=Callable[..., Any])


def is_key(value: Any) -> bool:
    """Return whether a value is one key: typed, as of `jax.random.key`, or raw, `(2,)` of uint32, as of `PRNGKey`."""
    dtype, shape = getattr(value, "dtype", None), getattr(value, "shape", None)
    if dtype is None:
        return False
    return shape == () if jnp.issubdtype(dtype, jax.dtypes.prng_key) else (dtype, shape) == (jnp.uint32, (2,))


def takes_key(function: Function) -> Function:
    """Decorate a function that takes `key` by name to also take it as first argument, as in `jax.random`.

        @takes_key
        def rate(intensity, num_steps, *, key): ...

        rate(images, 25, key=key)
        rate(key, images, 25)

    `key` is keyword-only. The first argument is the key if it is one by `is_key`, so no function decorated so may take
    a raw key, or two numbers of uint32, as its own first argument. In methods the key stands after `self`. Where `key`
    has a default, it may be left out. Annotations, and so type checkers, know the key by name alone.

    Raises:
        TypeError: when called with two keys, without one that is needed, or with something else as `key`; or without
            another argument that is needed.
    """
    parameters = inspect.signature(function).parameters
    positional = [p for p in parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD and p.name != "self"]
    needed, place = parameters["key"].default is inspect.Parameter.empty, int(next(iter(parameters)) == "self")

    @functools.wraps(function)
    def with_key(*args: Any, **kwargs: Any) -> Any:
        name = type(args[0]).__name__ if place else function.__qualname__
        if len(args) > place and is_key(args[place]):
            if "key" in kwargs:
                raise TypeError(f"{name}: got two keys, the first argument and key=; give one.")
            args, kwargs = (*args[:place], *args[place + 1 :]), kwargs | {"key": args[place]}
        if needed and "key" not in kwargs:
            if any(map(is_key, args)):
                raise TypeError(f"{name}: give the key by name, key=key, or first.")
            raise TypeError(f"{name}: give a key, such as key=jax.random.key(0); a new one for new random numbers.")
        if (needed or kwargs.get("key") is not None) and not is_key(kwargs["key"]):
            raise TypeError(f"{name}: key must be one key, such as jax.random.key(0), got {kwargs['key']!r}.")
        given = {p.name for p in positional[: len(args) - place]} | kwargs.keys()
        if missing := [p.name for p in positional if p.default is p.empty and p.name not in given]:
            takes = ", ".join(p.name for p in positional if p.default is p.empty)
            raise TypeError(f"{name}: {' and '.join(missing)} left out; write {name}({takes}, key=key).")
        return function(*args, **kwargs)

    with_key.may_lead = is_key  # type: ignore[attr-defined]
    return with_key  # pyright: ignore[reportReturnType]
