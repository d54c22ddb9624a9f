"""Kernels over lags, whole numbers of time steps, that fractional delays are made of; and past inputs of a layer."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from surgrad._dtypes import like, wide
from surgrad._kinds import require_callable
from surgrad._numbers import require_entries
from surgrad._shapes import require_shapes
from surgrad._types import Numbers, Parameter
from surgrad.nn._checks import check_same, check_state, real_array
from surgrad.nn._contract import Cell
from surgrad.nn._linear import product
from surgrad.nn._loops import automatically_sharded

Delays = Float[Array, "*synapses"]
Kernel = Float[Array, "lags *synapses"]

NARROWEST = 1e-3
"""The width in time steps below which a Gaussian is its nearest lag, to rounding."""


class Remembering(Cell):
    """A cell whose state is its inputs at the last time steps: one step is `over_time` of one."""

    def over_time(self, state: Any, inputs: Numbers) -> tuple[Any, Array]:
        """Many time steps at once: the new state, and the outputs over time."""
        raise NotImplementedError(f"{type(self).__name__} defines no over_time.")

    def __call__(self, state: Any, x: Numbers) -> tuple[Any, Array]:
        """One time step: the new state, and the output.

        Raises:
            TypeError: the state is not an array, or the input is complex.
            ValueError: the input differs from the state in shape, or the state holds another number of steps.
        """
        state, outputs = self.over_time(state, jnp.asarray(x)[None])
        return state, outputs[0]


def kernel(delay: Numbers, sigma: Parameter | None, most: int, least: int = 0) -> Kernel:
    """The shares of the inputs of `least` to `most` time steps ago in what comes out of each delay; their sum is 1.

    With d as `within` gives it and lags l:

    - `sigma` None: linear interpolation, max(0, 1 - |l - d|). At a whole number of steps the derivative by d is that
      of larger delays, and at `most` that of smaller ones.
    - `sigma` > 0: a Gaussian, exp(-(l - d)² / 2σ²) over its sum.
    - `sigma` 0, or below `NARROWEST`: 1 at the nearest lag, the limit of small σ. It does not depend on d.
    """
    delay = jnp.asarray(delay)
    delay = within(delay.astype(wide(delay.dtype)), most, least)[None]
    lags = jnp.arange(least, most + 1, dtype=delay.dtype).reshape(-1, *[1] * (delay.ndim - 1))
    if sigma is None:
        return _linear(lags, delay, most)
    sigma = like(delay, sigma)
    wide_enough = sigma >= NARROWEST
    # As a softmax, since far from d all terms of a narrow one would be 0.
    gaussian = jax.nn.softmax(-(((lags - delay) / jnp.where(wide_enough, sigma, 1)) ** 2) / 2, axis=0)
    return jnp.where(wide_enough, gaussian, _linear(lags, jax.lax.stop_gradient(jnp.round(delay)), most))


def _linear(lags: Array, delay: Array, most: int) -> Array:
    """Linear interpolation. Each side has a case of its own, as the derivative of an absolute value is 0 at its end."""
    before = jnp.minimum(jnp.floor(delay), most - 1)
    share = delay - before
    # The last case is 0, and NaN for a delay that is NaN.
    return jnp.where(lags == before, 1 - share, jnp.where(lags == before + 1, share, 0 * share))


def within(delay: Delays, most: int, least: int = 0) -> Delays:
    """Delays reflected at `least` and `most`: the same inside; d steps beyond an end are d steps before it.

    So the derivative inside, with both ends, is 1, and it is nowhere 0: a delay that an optimiser moves beyond an end
    comes back by its own gradient, where one that is clipped would stay.
    """
    width = most - least
    beyond = jnp.mod(delay - least, 2 * width)
    reflected = least + jnp.where(beyond > width, 2 * width - beyond, beyond)
    return jnp.where((delay >= least) & (delay <= most), delay, reflected)


def initial_delays(where: str, key: Array, shape: tuple[int, ...], ends: tuple[int, int], initializer: Any) -> Array:
    """Delays at the start: of an initializer, or uniform between the least and the largest one.

    Raises:
        ValueError: one is out of that range, or NaN.
    """
    least, most = ends
    if initializer is None:
        return jax.random.uniform(key, shape, minval=float(least), maxval=float(most))
    demand = "an initializer, such as jax.nn.initializers.constant(1.0)"
    require_callable(f"{where}: delay_init", initializer, demand)
    delay = initializer(key, shape, jnp.result_type(float))
    check_delays(where, delay, ends)
    return delay


def check_delays(where: str, delay: Any, ends: tuple[int, int]) -> None:
    """Refuse delays at the start that are not between the least and the largest one, or NaN; traced ones pass.

    Raises:
        ValueError: one is not.
    """
    least, most = ends
    require_entries(where, "delay", delay, most, f"{least} to max_delay = {most} time steps", least)


def joined(cell: Cell, state: Any, inputs: Numbers, longest: int) -> tuple[Array, Array]:
    """The inputs of the last `longest` time steps, which a state holds, and those of a chunk: `known`, and the chunk.

    Raises:
        TypeError: the state is not an array, or the inputs are complex.
        ValueError: the inputs differ from the state in shape, or it holds another number of steps.
    """
    check_state(cell, state)
    kind = type(cell).__name__
    require_shapes(kind, {"the state": (state.shape, f"{longest} steps, ...")}, "; start from init(shape)")
    inputs = real_array(cell, inputs)
    check_same(cell, state.shape[1:], inputs.shape[1:])
    cast = inputs.astype(state.dtype)
    return jnp.concatenate([placed(state, cast), cast]), inputs


def placed(past: Array, inputs: Array) -> Array:
    """What was before the inputs, `(steps, *batch, features)`, placed over a mesh as the inputs over time are.

    The zeros of a new state must be sharded, and vary, as the inputs do.
    """
    if jax.sharding.get_abstract_mesh().empty:
        return past
    return past + jnp.zeros_like(jax.eval_shape(lambda x: x.sum(axis=0, keepdims=True), inputs.astype(past.dtype)))


def delays_of(delay: Numbers, sigma: Parameter | None, most: int, least: int = 0) -> Delays:
    """The delays that a kernel has: within the range, and whole numbers where `sigma` rounds them."""
    delay = jnp.asarray(delay)
    delay = within(delay.astype(wide(delay.dtype)), most, least)
    return delay if sigma is None else jnp.where(like(delay, sigma) < NARROWEST, jnp.round(delay), delay)


def delayed_product(known: Array, weights: Kernel, event_driven: bool | str) -> Float[Array, "time *batch outputs"]:
    """Products of past inputs with the weights of their lags, Σ_l x[t - l] W_l, summed in float32 at least.

    Parameters:
        known: inputs, `(lags - 1 + time, *batch, inputs)`.
        weights: those of each lag, the shortest first, `(lags, inputs, outputs)`, in the type of the inputs.
        event_driven: as of `Linear`.
    """

    def times(x: Array, weight: Array) -> Array:
        return product(x, weight, event_driven)

    def at_once(known: Array, weights: Kernel) -> Array:
        if known.shape[0] != weights.shape[0]:
            return _summed(times, known, weights)
        side_by_side = jnp.moveaxis(known[::-1], 0, -2).reshape(1, *known.shape[1:-1], -1)
        return times(side_by_side, weights.reshape(-1, weights.shape[-1]))

    return automatically_sharded(at_once, known, weights)


def delayed(known: Array, shares: Kernel) -> Float[Array, "time *batch neurons"]:
    """Past inputs times the shares of their lags, Σ_l x[t - l] k(l), for each neuron: shapes of `delayed_product`."""
    return automatically_sharded(functools.partial(_summed, lambda x, share: x * share), known, shares)


def _summed(times: Callable[[Array, Array], Array], known: Array, weights: Kernel) -> Array:
    """The sum over lags, lag by lag, since all lags at once would take as many times the memory."""
    last = weights.shape[0] - 1
    time = known.shape[0] - last

    @functools.partial(jax.checkpoint, prevent_cse=False)  # or each lag would keep its inputs for the backward pass
    def add(total: Array, now: tuple[Array, Array]) -> tuple[Array, None]:
        start, weight = now
        return total + times(jax.lax.dynamic_slice_in_dim(known, start, time), weight).astype(total.dtype), None

    first = times(known[last:], weights[0])
    total, _ = jax.lax.scan(add, first.astype(wide(first.dtype)), (jnp.arange(last)[::-1], weights[1:]))
    return total.astype(first.dtype)
