"""One update of a network in `fit`, compiled; it accumulates gradients, scales losses and checks numbers if asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from surgrad._optimizers import updated
from surgrad._types import PyTree
from surgrad.nn import combine, partition
from surgrad.train._compiled import compiled
from surgrad.train._fit import Fit
from surgrad.train._given import Objective


class Method(NamedTuple):
    """How a network is trained: structure of the compiled program.

    Parameters:
        optimizer: of Optax.
        objective: the loss.
        accumulate: batches whose gradients are averaged for one change of the weights.
        check: whether loss, gradient and weights are tested for NaN and Inf.
        sharding: of all numbers that an update changes, None without a mesh.
        also: names of numbers that are trained besides weights, as of `nn.partition`.
    """

    optimizer: Any
    objective: Objective
    accumulate: int = 1
    check: bool = False
    sharding: Any = None
    also: tuple[str, ...] = ()

    def partition(self, network: Any) -> tuple[Any, Any]:
        """What is trained of a network, and the rest."""
        return partition(network, also=self.also)

    @property
    def whole(self) -> Any:
        """The optimiser, which accumulates gradients if that is asked for."""
        if self.accumulate == 1:
            return self.optimizer
        return optax.MultiSteps(self.optimizer, self.accumulate).gradient_transformation()


class Carry(NamedTuple):
    """All numbers that an update changes.

    Parameters:
        fit: the network, and the state of the optimiser.
        scale: the loss scale, None where losses are not scaled.
    """

    fit: Fit
    scale: Any


class Updated(NamedTuple):
    """The result of an update.

    Parameters:
        carry: what goes into the next one.
        loss: on the batch, before the update.
        finite: whether loss, gradient and new weights are finite; None if nobody asked.
    """

    carry: Carry
    loss: Array
    finite: Array | None


def begin(network: Any, method: Method, scale: Any) -> Carry:
    """The numbers before the first update, as arrays."""
    return settled(Carry(Fit(network, method.whole.init(method.partition(network)[0])), scale))


def settled(tree: PyTree) -> PyTree:
    """The tree with arrays for leaves; those of more than one number get a type that is not weak, as in checkpoints."""

    def array(leaf: Any) -> Any:
        value = jnp.asarray(leaf)
        return jax.lax.convert_element_type(value, value.dtype) if value.shape and value.weak_type else value

    return jax.tree.map(array, tree)


@compiled(last=1)
def update(carry: Carry, batch: Any, key: Array, method: Method) -> Updated:
    """One update of the weights with one batch; the key is for the loss."""
    trained, rest = method.partition(carry.fit.network)

    def loss(trained: Any) -> tuple[Any, Any]:
        value, network = method.objective.value(combine(trained, rest), batch, key)
        return _number(value), method.partition(network)[1] if method.objective.returns_network else None

    (value, new), gradient, scale, applies = _gradient(loss, trained, carry.scale)
    learned, state = updated(method.whole, gradient, carry.fit.optimizer, trained)
    after = Fit(combine(learned, rest if new is None else new), state)
    if applies is not None:  # an update that overflowed is left out
        after = jax.tree.map(lambda new, old: jnp.where(applies, new, old), after, carry.fit)
        gradient = None
    finite = _finite((value, gradient, after.network)) if method.check else None
    found = Updated(settled(Carry(after, scale)), value, finite)
    return found if method.sharding is None else jax.lax.with_sharding_constraint(found, method.sharding)


def _gradient(loss: Callable[[Any], Any], trained: Any, scale: Any) -> tuple[Any, Any, Any, Array | None]:
    """Loss and gradient, the next loss scale, and whether the gradient is finite, None where losses are not scaled."""
    if scale is None:
        return *jax.value_and_grad(loss, has_aux=True)(trained), None, None
    scale, applies, value, gradient = scale.value_and_grad(loss, has_aux=True)(trained)
    return value, gradient, scale, applies


def _number(value: Any) -> Array:
    """The loss, while it is traced.

    Raises:
        TypeError: it is no number.
    """
    if not hasattr(value, "shape") or value.shape:
        got = f"an array of shape {value.shape}" if hasattr(value, "shape") else f"{type(value).__name__}"
        raise TypeError(f"fit: loss must return one number, got {got}; a mean over the batch is one, values.mean().")
    return value


def _finite(tree: PyTree) -> Array:
    """Whether all floating-point numbers of a tree are finite."""
    leaves = [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in leaves]).all()
