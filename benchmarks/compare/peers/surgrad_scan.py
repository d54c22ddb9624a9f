"""surgrad whose time loops are scans, also where it would run them as one kernel."""

from __future__ import annotations

import functools

from benchmarks.compare.peers import surgrad

ENTRIES = {
    "surgrad_scan": {
        "label": "surgrad, scan",
        "role": "ours",
        "packages": ("surgrad", "jax"),
        "devices": ("gpu",),
        "colour": "#8C6BB1",
        "long": True,
    },
}

neurons = functools.partial(surgrad.neurons, backend="scan")
feedforward = functools.partial(surgrad.feedforward, backend="scan")
layered = functools.partial(surgrad.layered, backend="scan")
recurrent = functools.partial(surgrad.recurrent, backend="scan")
convolutional = functools.partial(surgrad.convolutional, backend="scan")
