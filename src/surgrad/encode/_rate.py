"""The rate code."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, UInt32

from surgrad._answers import answers_keywords
from surgrad._keys import takes_key
from surgrad._types import Numbers
from surgrad.encode._intensity import checked, single


@answers_keywords
@takes_key
def rate(intensity: Numbers, num_steps: int, *, key: Key[Array, ""] | UInt32[Array, 2]) -> Float[Array, "time ..."]:
    """Spike trains of the rate code: at each time step a spike with probability p, independent of all others.

    With another key the same intensities give other spikes, so a batch can be encoded anew in every epoch. May be
    jitted with `num_steps` static; the key may also stand first, as in `jax.random`.

    Parameters:
        intensity: p, from 0 (no spike) to 1 (a spike at each time step), `(*batch, features)`. Images of bytes must be
            divided by 255.
        num_steps: number of time steps, >= 1.
        key: a key of `jax.random.key`.

    Returns:
        0 or 1 in the dtype of the intensities, `(time, *batch, features)`.

    Raises:
        TypeError: the intensities are integers, or there is no key.
        ValueError: an intensity with a known value is outside 0 to 1, or `num_steps` is no integer >= 1.

    >>> rate(jnp.array([0.0, 0.5, 1.0]), 4, key=jax.random.key(0)).shape
    (4, 3)
    """
    p = checked("rate", intensity, num_steps)
    each = jnp.broadcast_to(single(p), (num_steps, *p.shape))
    return jax.random.bernoulli(key, each).astype(p.dtype)
