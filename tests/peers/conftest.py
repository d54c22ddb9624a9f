"""Peers are imported here once, where the warnings of their own imports are nobody's concern."""

import contextlib
import importlib
import warnings
from pathlib import Path

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    for name in ("snntorch", "norse.torch", "spikingjelly.activation_based.neuron", "spyx.nn", "brainpy.state"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.promotes("code of other libraries, as their users run it"))
            item.add_marker(pytest.mark.unchecked("code of other libraries, as their users run it"))
