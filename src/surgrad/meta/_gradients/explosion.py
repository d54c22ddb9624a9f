"""Detection of exploding hypergradients, and the warning of them.

Derivatives through many steps of training grow exponentially where training is chaotic. They are then correct, but of a
function so rough that they do not predict the effect of a step of any size (Metz, Freeman, Schoenholz and Kachman 2021,
Gradients are not all you need, arXiv:2111.05803).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float

from surgrad._types import PyTree
from surgrad.meta._gradients.result import Hypergradient, HypergradientDiagnosis

LIMIT = 30.0
"""Growth while the steps double above which a derivative counts as exploding.

Derivatives that grow like the square or the cube of the steps, as with momentum, grow 4 and 8 times.
"""

ADVICE = "Check whether training itself diverges (the losses of meta.inner_loop); Adam and its kin need eps_root > 0."


class ExplodingHypergradientWarning(RuntimeWarning):
    """A derivative through training has grown exponentially with the steps."""


def finite(*trees: PyTree) -> Bool[Array, ""]:
    """Whether all numbers are finite."""
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(trees)]))


def by_norms(value: Array, gradient: PyTree, norms: Float[Array, " steps"]) -> HypergradientDiagnosis:
    """The diagnosis from the norms of a derivative after each step; `exploding` is set by `judged`."""
    ends = np.arange(4, norms.size + 1)
    growth, exponent = jnp.ones((), norms.dtype), jnp.zeros((), norms.dtype)
    if ends.size:
        before, after = norms[ends // 2 - 1], norms[ends - 1]
        # Without a derivative before (nothing spikes yet, say) nothing is known of its growth.
        ratios = jnp.where(before > 0, after / jnp.where(before > 0, before, 1), 1)
        most = jnp.argmax(ratios)
        growth = ratios[most]
        exponent = jnp.log(growth) / jnp.asarray(ends - ends // 2, norms.dtype)[most]
    return HypergradientDiagnosis(finite(value, gradient), jnp.array(False), growth, exponent, norms)


def last_turn(windows: Float[Array, "steps ..."]) -> Any:
    """The longest window whose sign differs from that of the next longer one; 0 if there is none."""
    turned = jnp.sign(windows[1:]) != jnp.sign(windows[:-1])
    lengths = jnp.arange(1, len(windows)).reshape(-1, *[1] * (windows.ndim - 1))
    return jnp.max(jnp.where(turned, lengths, 0), axis=0, initial=0)


def judged(result: Hypergradient, limit: Any) -> Hypergradient:
    """The result with `diagnosis.exploding` set by a limit of growth."""
    diagnosis = result.diagnosis
    if diagnosis.growth is None:
        return result
    return result._replace(diagnosis=diagnosis._replace(exploding=~(diagnosis.growth <= limit)))


def report(result: Hypergradient, steps: int, advice: Callable[[], str]) -> None:
    """Warn or raise if a result is not finite or explodes: at once, or, if it is traced, when the program has run.

    Warns:
        ExplodingHypergradientWarning: it explodes, or, under a transformation, is not finite.

    Raises:
        FloatingPointError: it is not finite.
    """
    diagnosis = result.diagnosis
    numbers = diagnosis.finite, diagnosis.exploding, diagnosis.growth, diagnosis.exponent

    def say(finite: Any, exploding: Any, growth: Any, exponent: Any) -> None:
        if not np.all(finite):
            _warn(_not_finite(ADVICE))
        elif np.any(exploding):
            _warn(_exploding(float(np.max(growth)), float(np.max(exponent)), steps))

    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(result)):
        jax.debug.callback(say, *numbers)
    elif not diagnosis.finite:
        raise FloatingPointError(_not_finite(advice()))
    elif diagnosis.exploding:
        _warn(_exploding(float(diagnosis.growth), float(diagnosis.exponent), steps))  # type: ignore[arg-type]


def _warn(message: str) -> None:
    warnings.warn(message, ExplodingHypergradientWarning, stacklevel=5)


def _not_finite(advice: str) -> str:
    return f"hypergradient: the value or the gradient is not finite. {advice}"


def _exploding(growth: float, exponent: float, steps: int) -> str:
    return (
        f"hypergradient: the derivative explodes within the {steps} steps. It grew {growth:.3g} times while their "
        f"number doubled, by e^{exponent:.2g} per step, and may not predict the effect of a change of the "
        f"hyperparameters. meta.horizon shows up to how many steps its sign is right; train for fewer steps, with a "
        f"smaller learning rate, or use method=meta.Truncated(...), meta.Evolution(...) or "
        f"meta.PersistentEvolution(...)."
    )
