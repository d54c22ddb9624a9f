"""Peers are imported here once, where the warnings of their own imports are nobody's concern."""

import contextlib
import importlib
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    for name in ("snntorch", "norse.torch", "spikingjelly.activation_based.neuron", "spyx.nn", "brainpy.state"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
