"""Reductions over time of sequences that are padded to one length: what losses, metrics and statistics share.

Sequences are `(time, *batch, features)`, with a length for each entry of the first axis of the batch. The numbers
behind the end of a sample have no influence on values or derivatives, also if they are NaN. Sums are float32 at least.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float

from surgrad._dtypes import like, promoted, wide
from surgrad._kinds import described
from surgrad._numbers import require_real
from surgrad._shapes import require_shapes
from surgrad._types import Numbers, Parameter

Values = Float[Array, "..."]


class Sequences(NamedTuple):
    """Sequences in one batch, each of its own length.

    Parameters:
        values: the sequences, `(time, *batch, features)`, and zeros behind their ends.
        active: whether a time step belongs to a sample, `(time, batch, 1, ...)`; None if all do.
        steps: the number of time steps of each sample, an array that broadcasts to `(*batch, features)`.
    """

    values: Values
    active: Bool[Array, ...] | None
    steps: Values

    def only(self, values: Values) -> Values:
        """Values over time of the same shape, and zeros behind the ends."""
        return values if self.active is None else jnp.where(self.active, values, jnp.zeros_like(values))


def sequences(where: str, what: str, given: Numbers, lengths: Any, axes: str = "*batch, features") -> Sequences:
    """Sequences in float32 at least.

    Parameters:
        where: the function that was called, for messages.
        what: what it calls the sequences.
        given: the sequences, `(time, *batch, features)`.
        lengths: the number of time steps of each sample, `(batch,)`; None if all have the same.
        axes: the pattern of the axes behind that of time.

    Raises:
        TypeError: the sequences are complex, or the lengths are not whole numbers.
        ValueError: the shapes do not fit, there is no time step, or a length is below 0 or above that of time.
    """
    values = jnp.asarray(given)
    require_shapes(where, {what: (values.shape, f"time >= 1, {axes}")}, "; time leads")
    if jnp.issubdtype(values.dtype, jnp.complexfloating):
        raise TypeError(f"{where}: {what} must be real, got {values.dtype}.")
    values = values.astype(wide(values.dtype))
    time, rank = values.shape[0], values.ndim - 1
    if lengths is None:
        return Sequences(values, None, jnp.full((1,) * rank, time, values.dtype))
    if rank < 2:
        raise ValueError(f"{where}: with lengths, {what} must be (time, batch, ...), got the shape {values.shape}.")
    ends = checked_lengths(where, lengths, time, values.shape[1])
    ends = ends.astype(int).reshape(-1, *(1,) * (rank - 1))
    active = jnp.arange(time).reshape(-1, *(1,) * rank) < ends[None]
    return Sequences(jnp.where(active, values, jnp.zeros_like(values)), active, ends.astype(values.dtype))


def checked_lengths(where: str, lengths: Any, time: Any, batch: Any) -> Array:
    """Lengths as an array, one for each sample; those that are traced have no value yet to be checked.

    Raises:
        TypeError: they are not whole numbers.
        ValueError: there is not one for each sample, or one is below 0 or above that of time.
    """
    demand = f"lengths must be whole numbers from 0 to {time}, one for each of the {batch} samples"
    given = lengths if isinstance(lengths, jax.Array) else np.asarray(lengths)
    if not jnp.issubdtype(given.dtype, jnp.integer):
        raise TypeError(f"{where}: {demand}, got {described(lengths)}.")
    if given.shape != (batch,):
        raise ValueError(f"{where}: {demand}, got {described(given)}.")
    if not isinstance(given, Tracer):
        for sample, length in enumerate(np.asarray(given).tolist()):
            if not 0 <= length <= time:
                raise ValueError(f"{where}: {demand}, got {length} for sample {sample}.")
    return jnp.asarray(given)


def require_classes(where: str, labels: Any, classes: int) -> None:
    """Check that labels are classes; those that are traced have no value yet to be checked.

    Raises:
        ValueError: one is below 0, or not below the number of classes.
    """
    if isinstance(labels, Tracer):
        return
    numbers = np.asarray(labels)
    wrong = np.argwhere((numbers < 0) | (numbers >= classes))
    if len(wrong):
        place = tuple(wrong[0].tolist())
        raise ValueError(f"{where}: labels must be 0 to {classes - 1}, got {numbers[place]} for {sample_named(place)}.")


def sample_named(place: tuple[int, ...]) -> str:
    """A sample by its place in the batch, for messages."""
    return f"sample {place[0]}" if len(place) == 1 else f"sample {place}"


def total(given: Sequences) -> Values:
    """The sum over time, `(*batch, features)`."""
    return given.values.sum(0)


def mean(given: Sequences) -> Values:
    """The mean over time of each sample; 0 for a sample without time steps."""
    return given.values.sum(0) / jnp.maximum(given.steps, 1)


def peak(given: Sequences) -> Values:
    """The maximum over time, whose derivative is that of the earliest of equal maxima; 0 without time steps."""
    lowest = jnp.full_like(given.values, jnp.finfo(given.values.dtype).min)
    values = given.values if given.active is None else jnp.where(given.active, given.values, lowest)
    return _picked(given.values, jnp.argmax(values, axis=0)[None])


def last(given: Sequences) -> Values:
    """The values at the last time step of each sample; 0 without time steps."""
    if given.active is None:
        return given.values[-1]
    return _picked(given.values, given.steps.astype(int)[None] - 1)


def _picked(values: Values, when: Array) -> Values:
    """The values at one time step each, as a sum, since the derivative of an index would be a scatter."""
    steps = jnp.arange(values.shape[0]).reshape(-1, *(1,) * (values.ndim - 1))
    return jnp.where(steps == when, values, jnp.zeros_like(values)).sum(0)


def first_spike_time(spikes: Sequences) -> Values:
    """The number of time steps before the first spike, Σ_t Π_{u <= t} (1 - s[u]), with the derivative of that."""
    return spikes.only(jnp.cumprod(1 - spikes.values, axis=0)).sum(0)


def van_rossum_squared(where: str, trains: dict[str, Numbers], tau: Parameter, lengths: Any) -> Values:
    """The squared distances of van Rossum of two arrays of spike trains, `(*batch, neurons)`.

    With e[t] = β e[t-1] + d[t], the filtered difference d of the two, it is ½ ((1 - β²) Σ_t e[t]² + β² e[T]²): the
    second term is the integral from the end on, so that it does not matter how long the silence after it is.

    Parameters:
        where: the function that was called, for messages.
        trains: the two, `(time, *batch, neurons)`, by the names that it has for them.
        tau: time constant of the filter in time steps, > 0.
        lengths: as those of `sequences`.

    Raises:
        TypeError, ValueError: as `sequences`; the two differ in shape, or tau is not > 0.
    """
    require_real(where, "tau", tau, above=0, finite=False)
    first, second = (sequences(where, name, given, lengths).values for name, given in trains.items())
    if first.shape != second.shape:
        raise ValueError(f"{where}: {' and '.join(trains)} must have one shape, got {first.shape} and {second.shape}.")
    dtype = promoted(first, second)
    difference = first.astype(dtype) - second.astype(dtype)
    decay = jnp.exp(-1 / like(difference[0], tau))

    def step(trace: Values, now: Values) -> tuple[Values, Values]:
        trace = decay * trace + now
        return trace, trace

    # The first trace is the first difference: it has the type of the others also over a mesh, which zeros have not.
    end, traces = jax.lax.scan(step, difference[0], difference[1:])
    squares = (traces**2).sum(0) + difference[0] ** 2
    return ((1 - decay**2) * squares + decay**2 * end**2) / 2
