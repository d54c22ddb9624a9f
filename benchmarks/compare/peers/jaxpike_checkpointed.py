"""jaxpike with its checkpoints, which computes the forward pass twice and keeps about √time of it."""

from __future__ import annotations

import functools

import jaxpike

from benchmarks.compare.peers import jaxpike as plain

ENTRIES = {
    "jaxpike_checkpointed": {
        "label": "jaxpike, checkpointed",
        "role": "peer",
        "packages": ("jaxpike", "jax"),
        "colour": "#88CCEE",
        "long": True,
    },
}

feedforward = functools.partial(plain.feedforward, unroll=jaxpike.unroll_checkpointed)
layered = functools.partial(plain.layered, unroll=jaxpike.unroll_checkpointed)
recurrent = functools.partial(plain.recurrent, unroll=jaxpike.unroll_checkpointed)
convolutional = functools.partial(plain.convolutional, unroll=jaxpike.unroll_checkpointed)
