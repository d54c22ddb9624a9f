"""The exact convention: a context in which all surrogates have the derivatives that hypergradients need.

A surrogate may stand in a closure, where nobody can replace it, and a function around it may have been compiled before.
The context is therefore read where a surrogate is called, and is part of the key of JAX's own caches.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax

_EXACT = jax.make_user_context(False)
_OPTIONS = {"parameter_tangent": "none", "second_order": "exact"}


@contextmanager
def exact() -> Iterator[None]:
    """A context, or a decorator, in which all surrogates have `parameter_tangent="none"` and `second_order="exact"`.

    The derivative of a training run by a hyperparameter is the true one, which finite differences of the run show,
    only under these two options: a spike does not depend on its surrogate, and the derivative of a gradient
    differentiates the slopes alone. `hypergradient`, `horizon` and `inner_loop` use the context by themselves. It
    applies to every surrogate that is called inside, whether an argument, a part of a model or in a closure, whatever
    its own options are and whatever was compiled before. Differentiate inside of the context:

        >>> import jax, surgrad
        >>> with exact():
        ...     float(jax.grad(lambda alpha: surgrad.Sigmoid(alpha)(0.3))(4.0))
        0.0

    Spike functions of other libraries, and surrogates that were called before the context began, are not affected.
    """
    with _EXACT(True):
        yield


def in_force(surrogate: Any) -> Any:
    """The surrogate with the options that apply: itself, or inside of `exact()` a copy with the exact options."""
    if not _EXACT.value or all(getattr(surrogate, name) == value for name, value in _OPTIONS.items()):
        return surrogate
    copy = object.__new__(type(surrogate))
    copy.__setstate__(surrogate.__getstate__())
    for name, value in _OPTIONS.items():
        setattr(copy, name, value)
    return copy
