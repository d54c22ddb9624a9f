"""Frameworks are imported here once, where the warnings of their own imports are nobody's concern."""

import contextlib
import importlib
import warnings
from pathlib import Path

import pytest

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


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(
                pytest.mark.promotes("code of frameworks, which promote types, and hold parameters in boxes")
            )
            item.add_marker(
                pytest.mark.unchecked("code of frameworks, which promote types, and hold parameters in boxes")
            )
