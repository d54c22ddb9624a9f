"""surgrad with products of dense matrices, whatever the inputs are."""

from __future__ import annotations

import functools

from benchmarks.compare.peers import surgrad

ENTRIES = {
    "surgrad_dense": {
        "label": "surgrad, dense products",
        "role": "ours",
        "packages": ("surgrad", "jax"),
        "devices": ("cpu",),
        "colour": "#5B7FCC",
    },
}

DENSE = {"event_driven": False}

feedforward = functools.partial(surgrad.feedforward, layers=DENSE)
layered = functools.partial(surgrad.layered, layers=DENSE)
recurrent = functools.partial(surgrad.recurrent, layers=DENSE)
convolutional = functools.partial(surgrad.convolutional, layers=DENSE)
