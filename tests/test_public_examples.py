"""Every public name has an example in its docstring, and prints what it says."""

import doctest
import inspect
import warnings

import jax
import jax.numpy as jnp
import pytest

import surgrad

# The functions of the catalogue have the docstrings of their classes.
NAMES = [name for name in surgrad.__all__ if name not in {cls.__name__ for cls in surgrad.catalogue().values()}]
CLASSES = list(surgrad.catalogue())
GLOBALS = {"surgrad": surgrad, "jax": jax, "jnp": jnp, "warnings": warnings}


def failures(name, text):
    """What the examples of a docstring print beyond what it says."""
    test = doctest.DocTestParser().get_doctest(text, dict(GLOBALS), name, None, 0)
    assert test.examples, f"{name} has no example"
    found = []
    doctest.DocTestRunner().run(test, out=found.append)
    return "".join(found)


@pytest.mark.promotes("examples, as readers run them")
@pytest.mark.parametrize("name", [*NAMES, *CLASSES])
def test_the_example_of_a_public_name_prints_what_it_says(name):
    assert failures(name, inspect.getdoc(getattr(surgrad, name))) == ""


@pytest.mark.promotes("examples, as readers run them")
@pytest.mark.parametrize(
    "method", [name for name, one in vars(surgrad.Surrogate).items() if ">>>" in (one.__doc__ or "")]
)
def test_the_example_of_a_method_prints_what_it_says(method):
    assert failures(method, inspect.getdoc(getattr(surgrad.Surrogate, method))) == ""
