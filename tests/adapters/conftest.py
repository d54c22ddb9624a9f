"""Frameworks are imported here once, where the warnings of their own imports are nobody's concern."""

import contextlib
import importlib
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    for name in (
        "brainstate",
        "brainpy.state",
        "braintools",
        "brainunit",
        "flax.nnx",
        "flax.linen",
        "equinox",
        "haiku",
    ):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
