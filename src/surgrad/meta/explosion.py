"""Explosions: what tells that the derivative of a training run has become useless, and the warning of it.

Derivatives through many steps of training grow exponentially where training is chaotic: they are right, of a function
so rough that they say nothing about a step of any size (Metz, Freeman, Schoenholz and Kachman 2021, Gradients are not
all you need, arXiv:2111.05803).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float

from surgrad._types import PyTree

LIMIT = 30.0
"""Growth while the steps double from which on a derivative counts as exploding.

Derivatives that grow like the square or the cube of the steps, as momentum makes them, grow 4 and 8 times.
"""

ADVICE = "Look where training itself diverges (the losses of meta.train); Adam and its kin need eps_root > 0."


class ExplodingHypergradientWarning(RuntimeWarning):
    """A derivative through training has grown exponentially with the steps."""


class HypergradientDiagnosis(NamedTuple):
    """What tells whether a hypergradient is worth anything. What a mode does not know is None.

    Parameters:
        finite: whether value and gradient are finite.
        exploding: whether `growth` is above the limit.
        growth: the most that `norms` grow while the number of steps doubles, from 4 steps on; 1 of less. Growth like
            the p-th power of the steps gives about 2^p, exponential growth any number.
        rate: ln(growth) a step of those in which they grow most, a Lyapunov exponent of training.
        norms: `(steps,)`; in reverse mode that of the outer loss by the weights 0, 1, 2 … steps before the end, in
            forward mode that of the weights by the hyperparameters after 1, 2, 3 … steps.
        windows: as the gradient, with a leading axis of steps: what it would be if truncated to the last 1, 2, 3 …
            steps.
        turns: as the gradient: the longest window after which the sign is another with one step more; 0 if there is
            none. A sign that turns late is undecided.
        standard_error: as the gradient; that of the estimate by an evolution strategy.
    """

    finite: Bool[Array, ""]
    exploding: Bool[Array, ""]
    growth: Float[Array, ""] | None = None
    rate: Float[Array, ""] | None = None
    norms: Float[Array, " steps"] | None = None
    windows: PyTree = None
    turns: PyTree = None
    standard_error: PyTree = None


class Hypergradient(NamedTuple):
    """The derivative of an outer loss by hyperparameters.

    Parameters:
        value: the outer loss.
        gradient: a tree like the hyperparameters.
        trained: the end of training; None for evolution strategies, which train many times.
        diagnosis: what tells whether the gradient is worth anything.
    """

    value: Float[Array, ""]
    gradient: Any
    trained: Any
    diagnosis: HypergradientDiagnosis


def finite(*trees: PyTree) -> Bool[Array, ""]:
    """Whether all numbers are finite."""
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(trees)]))


def by_window(value: Array, gradient: PyTree, norms: Array, windows: PyTree) -> HypergradientDiagnosis:
    """The diagnosis of reverse mode."""
    return by_horizon(value, gradient, norms)._replace(windows=windows, turns=jax.tree.map(last_turn, windows))


def by_horizon(value: Array, gradient: PyTree, norms: Array) -> HypergradientDiagnosis:
    """The diagnosis of forward mode; whether it explodes is told when the limit is known."""
    ends = np.arange(4, norms.size + 1)
    growth, rate = jnp.ones((), norms.dtype), jnp.zeros((), norms.dtype)
    if ends.size:
        before, after = norms[ends // 2 - 1], norms[ends - 1]
        # Without a derivative before (nothing spikes yet, say) nothing is known of its growth.
        ratios = jnp.where(before > 0, after / jnp.where(before > 0, before, 1), 1)
        most = jnp.argmax(ratios)
        growth = ratios[most]
        rate = jnp.log(growth) / jnp.asarray(ends - ends // 2, norms.dtype)[most]
    return HypergradientDiagnosis(finite(value, gradient), jnp.array(False), growth, rate, norms)


def last_turn(windows: Float[Array, "steps ..."]) -> Any:
    """The longest window whose sign is another than that of the next longer one, 0 if there is none."""
    turned = jnp.sign(windows[1:]) != jnp.sign(windows[:-1])
    lengths = jnp.arange(1, len(windows)).reshape(-1, *[1] * (windows.ndim - 1))
    return jnp.max(jnp.where(turned, lengths, 0), axis=0, initial=0)


def judged(result: Hypergradient, limit: Any) -> Hypergradient:
    """The result with the verdict of a limit."""
    diagnosis = result.diagnosis
    if diagnosis.growth is None:
        return result
    return result._replace(diagnosis=diagnosis._replace(exploding=~(diagnosis.growth <= limit)))


def report(result: Hypergradient, steps: int, advice: Callable[[], str]) -> None:
    """Say what is wrong with a result: at once, or, where it is traced, when the compiled program has run.

    Warns:
        ExplodingHypergradientWarning: it explodes, or, under a transformation, is not finite.

    Raises:
        FloatingPointError: it is not finite.
    """
    diagnosis = result.diagnosis
    numbers = diagnosis.finite, diagnosis.exploding, diagnosis.growth, diagnosis.rate

    def say(finite: Any, exploding: Any, growth: Any, rate: Any) -> None:
        if not np.all(finite):
            _warn(_not_finite(ADVICE))
        elif np.any(exploding):
            _warn(_exploding(float(np.max(growth)), float(np.max(rate)), steps))

    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(result)):
        jax.debug.callback(say, *numbers)
    elif not diagnosis.finite:
        raise FloatingPointError(_not_finite(advice()))
    elif diagnosis.exploding:
        _warn(_exploding(float(diagnosis.growth), float(diagnosis.rate), steps))  # type: ignore[arg-type]


def _warn(message: str) -> None:
    warnings.warn(message, ExplodingHypergradientWarning, stacklevel=4)


def _not_finite(advice: str) -> str:
    return f"hypergradient: the value or the gradient is not finite. {advice}"


def _exploding(growth: float, rate: float, steps: int) -> str:
    return (
        f"hypergradient: the derivative explodes within the {steps} steps. It grew {growth:.3g} times while their "
        f"number doubled, by e^{rate:.2g} a step, and need not tell what a change of the hyperparameters does. "
        f"meta.horizon shows up to how many steps its sign is right; train for fewer, with a smaller learning rate, "
        f"or use mode='truncated', 'evolution' or 'persistent'."
    )
