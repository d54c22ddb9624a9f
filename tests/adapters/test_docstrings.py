"""The examples of the adapters' docstrings run and print what they say; without its framework an adapter says so."""

import doctest
import importlib
import subprocess
import sys

import pytest

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
EXTRAS = {"brainstate": "brain", "flax": "flax", "equinox": "equinox"}


@pytest.mark.parametrize("framework", EXTRAS)
def test_examples(framework):
    pytest.importorskip(framework)
    module = importlib.import_module(f"surgrad.adapters.{framework}")
    results = doctest.testmod(module)
    assert results.attempted
    assert not results.failed


@pytest.mark.parametrize("framework", ["brainstate", "flax"])
def test_an_adapter_without_its_framework_names_what_to_install(framework):
    code = f"import sys; sys.modules[{framework!r}] = None; import surgrad.adapters.{framework}"
    error = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120).stderr
    assert f'needs {framework}: pip install "surgrad[{EXTRAS[framework]}]"' in error
