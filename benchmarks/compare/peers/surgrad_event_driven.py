"""surgrad's products through spikes, and through slopes of finite support."""

from __future__ import annotations

import functools

from benchmarks.compare.peers import surgrad

ENTRIES = {
    "surgrad_event_driven": {
        "label": "surgrad, event-driven",
        "role": "ours",
        "packages": ("surgrad", "jax", "numba"),
        "devices": ("cpu",),
        "slope": "arctan window",
        "sparse": True,
        "colour": "#E69F00",
    },
    "surgrad_events_full_slope": {
        "label": "surgrad, events, full slope",
        "role": "ours",
        "packages": ("surgrad", "jax", "numba"),
        "devices": ("cpu",),
        "sparse": True,
        "colour": "#F4CE7C",
    },
}

EVENTS = {"event_driven": True}

feedforward = functools.partial(surgrad.feedforward, layers=EVENTS)
layered = functools.partial(surgrad.layered, layers=EVENTS)
recurrent = functools.partial(surgrad.recurrent, layers=EVENTS)
convolutional = functools.partial(surgrad.convolutional, layers=EVENTS)
