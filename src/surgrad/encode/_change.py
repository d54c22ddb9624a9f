"""Codes of change: spikes where a signal over time rises or falls."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from surgrad._answers import answers_keywords
from surgrad._numbers import require_real, require_whole
from surgrad._types import Numbers
from surgrad.encode._intensity import require_finite

Signal = Float[Array, "time *batch features"]


@answers_keywords
def delta(x: Numbers, threshold: float = 0.1, *, start: Numbers | None = None) -> Float[Array, "time *batch channels"]:
    """Spikes of two channels where a signal changes by a threshold from one time step to the next.

    A feature spikes in its ON channel where x[t] - x[t-1] >= θ, and in its OFF channel where x[t] - x[t-1] <= -θ. This
    is `spikegen.delta` of snnTorch with `off_spike=True`, which has +1 and -1 in one channel. A slow change never
    spikes; `level_crossing` adds changes up.

    Parameters:
        x: the signal, `(time, *batch, features)`.
        threshold: θ, in the unit of x, > 0.
        start: what stands before the first time step, of the shape of one step or one number; by default the first step
            itself, which then does not spike. snnTorch has 0 by default.

    Returns:
        0 or 1 in the dtype of x, `(time, *batch, 2 features)`: the ON channels of all features, then the OFF ones.

    Raises:
        TypeError: x is not floating.
        ValueError: x has no axis of features, a known value of it is NaN or infinite, or the threshold is not > 0.

    >>> delta(jnp.array([[0.0], [1.0], [1.0], [-1.0]]), 1.0)
    Array([[0., 0.],
           [1., 0.],
           [0., 0.],
           [0., 1.]], dtype=float32)
    """
    x = _signal("delta", x, threshold=threshold)
    if not x.shape[0]:
        return _channels(x, x)
    change = x - jnp.concatenate([_before(x, start), x[:-1]])
    return _channels((change >= threshold).astype(x.dtype), (change <= -threshold).astype(x.dtype))


@answers_keywords
def level_crossing(
    x: Numbers, threshold: float = 0.1, *, start: Numbers | None = None, max_spikes: int | None = 1
) -> Float[Array, "time *batch channels"]:
    """Spikes of two channels where a signal crosses levels: send-on-delta, as asynchronous converters and DVS pixels.

    The levels are start + k θ. A feature spikes in its ON channel where x reaches the next level above the last one
    that it crossed, and in its OFF channel where it reaches the next one below, so that noise of less than θ around a
    level makes no spikes. A ramp of slope a spikes every θ/|a| time steps. `delta_decode` gives the signal back to less
    than θ: always without a limit of spikes, and with one while the signal changes by `max_spikes` θ a step at most.

    Parameters:
        x: the signal, `(time, *batch, features)`.
        threshold: distance θ of the levels, in the unit of x, > 0.
        start: the level that the signal comes from, of the shape of one step or one number; the first step by default.
        max_spikes: levels that a feature crosses in a time step at most, >= 1; those left are crossed in the next
            steps. With None they are all counted, and a spike may be a number above 1.

    Returns:
        numbers of spikes in the dtype of x, `(time, *batch, 2 features)`: ON channels of all features, then OFF.

    Raises:
        TypeError: x is not floating.
        ValueError: x has no axis of features, a known value of it is NaN or infinite, the threshold is not > 0, or
            max_spikes is not an integer >= 1.

    Source: Miskowicz (2006), Send-on-delta concept: an event-based data reporting strategy.

    >>> level_crossing(jnp.array([[0.0], [0.6], [1.2], [0.9], [0.1]]), 1.0)
    Array([[0., 0.],
           [0., 0.],
           [1., 0.],
           [0., 0.],
           [0., 0.]], dtype=float32)
    """
    x = _signal("level_crossing", x, threshold=threshold)
    if max_spikes is not None:
        require_whole("level_crossing", max_spikes=max_spikes)
    if not x.shape[0]:
        return _channels(x, x)
    heights = (x - _before(x, start)) / threshold
    most = jnp.inf if max_spikes is None else max_spikes

    # The level is a whole number, so that no rounding adds up over time.
    def crossed(level: Array, height: Array) -> tuple[Array, tuple[Array, Array]]:
        up = jnp.clip(jnp.floor(height) - level, 0, most)
        down = jnp.clip(level - jnp.ceil(height), 0, most)
        return level + up - down, (up, down)

    _, spikes = jax.lax.scan(crossed, jnp.zeros_like(heights[0]), heights)
    return _channels(*(train.astype(x.dtype) for train in spikes))


@answers_keywords
def delta_decode(spikes: Numbers, threshold: float = 0.1, *, start: Numbers = 0.0) -> Float[Array, "time ..."]:
    """The signal that ON and OFF channels stand for: start + θ Σ (ON - OFF).

    Parameters:
        spikes: those of `level_crossing` or `delta`, `(time, *batch, 2 features)`. Those of `delta` do not tell changes
            of less than θ, nor how much more than θ one was.
        threshold: θ, as of the code.
        start: the level that the signal comes from, as of the code: its first step, or the number that was given.

    Returns:
        the signal, `(time, *batch, features)`.

    Raises:
        TypeError: the spikes are complex.
        ValueError: there is no even number of channels, or the threshold is not > 0.

    >>> x = jnp.array([[0.0], [0.6], [1.2], [2.5], [0.1]])
    >>> delta_decode(level_crossing(x, 1.0, max_spikes=None), 1.0, start=x[0])[:, 0]
    Array([0., 0., 1., 2., 1.], dtype=float32)
    """
    events = not jnp.issubdtype(jnp.result_type(spikes), jnp.inexact)  # booleans and counts
    spikes = _checked("delta_decode", jnp.asarray(spikes, float) if events else spikes, threshold=threshold)
    if spikes.shape[-1] % 2:
        raise ValueError(
            f"delta_decode: spikes must have an ON and an OFF channel for each feature, got {spikes.shape[-1]} in all."
        )
    up, down = jnp.split(spikes, 2, axis=-1)
    return _before(up, start) + threshold * jnp.cumsum(up - down, axis=0)


def _channels(up: Array, down: Array) -> Array:
    return jnp.concatenate([up, down], axis=-1)


def _before(x: Array, start: Numbers | None) -> Array:
    """What stands before the first time step, with an axis of time."""
    return x[:1] if start is None else jnp.broadcast_to(jnp.asarray(start, x.dtype), x.shape[1:])[None]


def _signal(code: str, x: Numbers, threshold: Any) -> Signal:
    """A signal that is checked, also its values where they are known."""
    x = x if isinstance(x, jax.Array) else np.asarray(x)
    checked = _checked(code, x, threshold)
    require_finite(code, "the signal", x)
    return checked


def _checked(code: str, x: Numbers, threshold: Any) -> Signal:
    require_real(code, "threshold", threshold, above=0)
    dtype = jnp.result_type(x)
    if not jnp.issubdtype(dtype, jnp.floating):
        raise TypeError(f"{code}: the signal must be floating numbers, got {dtype}; x.astype(float) makes them so.")
    if jnp.ndim(x) < 2:
        raise ValueError(
            f"{code}: time leads and features come last, (time, *batch, features), got the shape {jnp.shape(x)}; "
            f"x[:, None] is one feature over time."
        )
    return jnp.asarray(x)
