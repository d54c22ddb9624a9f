"""Where NaN and Inf arise: the batch is evaluated once more, with every layer watched, forwards and backwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from surgrad._pytree import static
from surgrad._trees import named_leaves
from surgrad._types import PyTree, Shape
from surgrad.nn import BatchNorm, Cell, combine
from surgrad.nn._contract import is_cell, promises, start, step
from surgrad.nn._observables import full_name, observed
from surgrad.train._update import Carry, Method, Updated

FORWARDS, BACKWARDS = "forwards", "backwards"
CAUSES = {
    "inputs": "The batch has it: look at the data.",
    FORWARDS: "Lower the learning rate, or clip gradients, optax.chain(optax.clip_by_global_norm(1.0), optimizer).",
    "first weights": "No weight has changed yet: look at this layer, at the ones before it, and at the first weights.",
    "loss": "The layers are finite: look in the loss for the logarithm of 0, a division by 0, or an overflow of large "
    "outputs, which a lower learning rate keeps small.",
    BACKWARDS: "All values are finite: look behind it for a derivative that is not, of a square root at 0 or of a "
    "slope without limit; in float16 give loss_scale.",
    "update": "The gradient is finite: lower the learning rate, or look at the optimizer.",
}
"""What to do, by where it arose."""


class NotFiniteError(FloatingPointError):
    """The error with which `fit` stops at NaN and Inf, if `check_numbers` is True.

    Parameters:
        text: the message.
        found: where it arose.
        epoch, step: in which epoch, and in which update of the run, from 1.
        network: with the weights before that update.
    """

    def __init__(self, text: str, found: Found, epoch: int, step: int, network: Any) -> None:
        super().__init__(text)
        self.layer, self.quantity, self.time = found.layer, found.quantity, found.time
        self.epoch, self.step, self.network = epoch, step, network


class Found(NamedTuple):
    """Where the first number is that is not finite.

    Parameters:
        cause: a key of `CAUSES`.
        quantity: what it is: `"v"`, `"inputs"`, `"loss"`, the path of a weight.
        layer: the place of the layer in the network, `"1"`, or None.
        time: the time step, from 0, or None.
    """

    cause: str
    quantity: str
    layer: str | None = None
    time: int | None = None

    def __str__(self) -> str:
        where = "" if self.layer is None else f" of layer {self.layer or '0'}"
        return f"{self.quantity}{where} is NaN or Inf{'' if self.time is None else f' at time step {self.time}'}"


_Noted = tuple[str, str, tuple[str, ...], list[bool], int]
"""Way, place, names of values, whether each is finite, and the time step."""
Note = Callable[[str, str, tuple[str, ...], Any, Any], None]


class _Watched(Cell):
    """A layer that says after each time step which of its values are finite, and on the way back which gradients."""

    stands_for = "layer"

    layer: Any
    place: str = static()
    note: Note = static()

    def init(self, shape: Shape, dtype: Any = None) -> PyTree:
        return start(self.layer, shape, dtype), jnp.zeros((), jnp.int32)

    def __call__(self, state: PyTree, x: Any) -> tuple[PyTree, Any]:
        before, time = state
        after, output = step(self.layer, before, x)
        values = {"inputs": x, **observed(self.layer, before, x, after, output)}
        names = tuple(name for name in values if name not in ("spikes", "outputs"))
        flags = jnp.stack([_finite(values[name]) for name in (*names, "outputs")])
        jax.debug.callback(_noting(self.note, FORWARDS, self.place, (*names, "outputs")), flags, time)
        seen = _noting(self.note, BACKWARDS, self.place, ("gradient by the outputs",))
        return (after, time + jnp.ones_like(time)), _told(seen, output, time)


def _noting(note: Note, way: str, place: str, names: tuple[str, ...]) -> Callable[[Any, Any], None]:
    return lambda flags, time: note(way, place, names, flags, time)


def _told(note: Callable[[Any, Any], None], outputs: Any, time: Array) -> Any:
    """The outputs; their gradients are reported."""

    @jax.custom_vjp
    def same(outputs: Any, time: Array) -> Any:
        return outputs

    def backwards(time: Array, gradients: Any) -> tuple[Any, None]:
        jax.debug.callback(note, _finite(gradients)[None], time)
        return gradients, None

    same.defvjp(lambda outputs, time: (outputs, time), backwards)
    return same(outputs, time)


def _finite(tree: Any) -> Array:
    floats = [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in floats]).all() if floats else jnp.ones((), bool)


def _watched(layer: Any, place: str, note: Note) -> Any:
    """A network whose layers are watched; what is neither a network nor a cell stays, and so does `BatchNorm`."""
    if promises(layer, "in_order"):
        parts = [_watched_part(part, full_name(place, str(i)), note) for i, part in enumerate(layer.parts)]
        return layer.replace(parts=tuple(parts))
    return _Watched.of_fields(layer=layer, place=place, note=note) if is_cell(layer) else layer


def _watched_part(part: Any, place: str, note: Note) -> Any:
    if promises(part, "in_order"):
        return _watched(part, place, note)
    return part if isinstance(part, BatchNorm) else _Watched.of_fields(layer=part, place=place, note=note)


def locate(before: Carry, batch: Any, key: Array, method: Method, after: Updated, first: bool) -> Found:
    """Where the first number of an update is that is not finite; the first update has other causes."""
    trained, rest = method.partition(before.fit.network)
    with jax.debug_nans(False), jax.debug_infs(False):
        notes: list[_Noted] = []

        def note(way: str, place: str, names: tuple[str, ...], flags: Any, time: Any) -> None:
            notes.append((way, place, names, [bool(flag) for flag in flags], int(time)))

        def loss(trained: Any, watch: bool) -> Array:
            network = combine(trained, rest)
            return method.objective.value(_watched(network, "", note) if watch else network, batch, key)[0]

        compiled = jax.jit(jax.grad(loss), static_argnums=1)
        try:
            jax.block_until_ready(compiled(trained, True))
        except Exception:  # a loss that looks into layers finds others; what is known without them remains
            notes.clear()
        jax.effects_barrier()
        finite = bool(jnp.isfinite(after.loss))
        found = _first(notes, finite, _norms(before.fit.network, "")) or _of_update(
            finite, compiled(trained, False), after
        )
    return found._replace(cause="first weights") if first and found.cause == FORWARDS else found


def _norms(layer: Any, place: str) -> list[tuple[int, ...]]:
    """The places of `BatchNorm` layers, whose statistics bring what is wrong at any time step to all of them."""
    if not promises(layer, "in_order"):
        return [_place_order(place)] if isinstance(layer, BatchNorm) else []
    return [one for i, part in enumerate(layer.parts) for one in _norms(part, full_name(place, str(i)))]


def _first(notes: list[_Noted], loss: bool, norms: list[tuple[int, ...]]) -> Found | None:
    """The first value in the order of evaluation: forwards in time, layer by layer, the loss, and then backwards.

    What is in front of a `BatchNorm` comes before what is behind it, at any time step.
    """

    def order(one: tuple[str, str, str, int]) -> tuple[int, int, tuple[int, ...]]:
        _, place, _, time = one
        at = _place_order(place)
        return sum(norm < at for norm in norms), time, at

    bad = [(way, place, name, time) for way, place, names, flags, time in notes for name in _bad(names, flags)]
    first_place = min((_place_order(place) for _, place, *_ in notes), default=())
    forwards = [one for one in bad if one[0] == FORWARDS]
    if forwards:
        _, place, name, time = min(forwards, key=order)
        first_layer = _place_order(place) == first_place
        return Found("inputs" if name == "inputs" and first_layer else FORWARDS, name, place, time)
    if bad and loss:
        _, place, name, time = max(bad, key=order)
        return Found(BACKWARDS, name, place, time)
    return None


def _place_order(place: str) -> tuple[int, ...]:
    return tuple(int(part) for part in place.split(".") if part)


def _bad(names: tuple[str, ...], flags: list[bool]) -> list[str]:
    """The first of the values that is not finite."""
    return [name for name, finite in zip(names, flags, strict=True) if not finite][:1]


def _of_update(loss: bool, gradient: Any, after: Updated) -> Found:
    """What is not finite of loss, gradient and new weights."""
    if not loss:
        return Found("loss", "loss")
    for cause, prefix, tree in (
        (BACKWARDS, "gradient by ", gradient),
        ("update", "", after.carry.fit.network),
    ):
        for path, leaf in named_leaves(tree):
            if not _finite(leaf):
                return Found(cause, f"{prefix}{path}")
    return Found("update", "state of the optimizer")
