"""The exact convention: a context in which all surrogates have the derivatives that hypergradients need.

The context is read where a surrogate is called, and is part of the key of JAX's caches. It therefore also applies to
surrogates in closures, which cannot be replaced, and to functions that have been compiled before.
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

    Only with these two options does the derivative of a training run by a hyperparameter agree with finite differences
    of the run: a spike does not depend on its surrogate, and the derivative of a gradient differentiates the slopes
    alone. `hypergradient`, `horizon` and `inner_loop` use the context by themselves. It applies to every surrogate that
    is called inside, as an argument, in a model or in a closure, no matter what its own options are and what was
    compiled before. Differentiate inside the context:

        >>> import jax, surgrad
        >>> with exact():
        ...     float(jax.grad(lambda alpha: surgrad.Sigmoid(alpha)(0.3))(4.0))
        0.0

    Spike functions of other libraries, and surrogates that were called before the context began, are not affected.
    """
    with _EXACT(True):
        yield


def in_force(surrogate: Any) -> Any:
    """Return the surrogate itself, or inside `exact()` a copy with the exact options."""
    if not _EXACT.value or all(getattr(surrogate, name) == value for name, value in _OPTIONS.items()):
        return surrogate
    copy = object.__new__(type(surrogate))
    copy.__setstate__(surrogate.__getstate__())
    for name, value in _OPTIONS.items():
        setattr(copy, name, value)
    return copy
