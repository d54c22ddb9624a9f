"""The convention that hypergradients need, for training loops of your own."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from surgrad._convention import exact_convention


def exact(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, in which every surrogate has `parameter_tangent="none"` and `second_order="exact"`.

    The derivative of a training run by a hyperparameter is the true one, which finite differences of the run show,
    only under these two: a spike does not depend on its surrogate, and the derivative of a gradient differentiates
    the slopes alone. It makes no difference where a surrogate stands (an argument, a model, a closure), what its
    options say, or what was compiled before. The differentiation must be inside: `exact(jax.grad(loss))`.

    A spike function of another library, and a surrogate that was called before `function` begins, are out of reach.
    """

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with exact_convention():
            return function(*args, **kwargs)

    return wrapped
