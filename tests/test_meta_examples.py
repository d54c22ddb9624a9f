"""The examples in the docstrings of `surgrad.meta` run and print what they say."""

import doctest
import importlib
import pkgutil

import pytest

from surgrad import meta

MODULES = [found.name for found in pkgutil.walk_packages(meta.__path__, "surgrad.meta.")]
PLACES = sorted({getattr(meta, name).__module__ for name in meta.__all__ if hasattr(getattr(meta, name), "__module__")})


@pytest.mark.promotes("examples, as their readers run them")
@pytest.mark.unchecked("examples, as their readers run them")
@pytest.mark.parametrize("name", sorted({*MODULES, *PLACES} - {"builtins"}))
def test_examples_print_what_they_say(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_every_public_name_has_a_docstring():
    assert [name for name in meta.__all__ if not (getattr(meta, name).__doc__ or "").strip()] == []


def test_the_main_functions_have_an_example():
    for name in ("calibrate", "diagnose", "exact", "hypergradient", "inner_loop", "record", "schedule", "tune"):
        assert ">>>" in getattr(meta, name).__doc__, name


def test_no_module_has_the_name_of_a_public_function():
    public = {found.name for found in pkgutil.iter_modules(meta.__path__)}
    assert all(name.startswith("_") for name in public)
