"""Examples in docstrings of public names print what they say."""

import doctest
import importlib
import inspect

import pytest

PACKAGES = ("surgrad.nn", "surgrad.explore", "surgrad.losses", "surgrad.metrics")


def documented():
    """Public names of packages, with the tests in their docstrings and in those of their methods."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    for package in map(importlib.import_module, PACKAGES):
        for name in package.__all__:
            part = getattr(package, name)
            module = inspect.getmodule(part)
            for test in finder.find(part, f"{package.__name__}.{name}", module=False, globs=vars(module).copy()):
                if test.examples:
                    yield pytest.param(test, id=test.name)


@pytest.mark.parametrize("test", list(documented()))
@pytest.mark.promotes("examples are written for a user's defaults")
def test_an_example_prints_what_it_says(test):
    report = []
    doctest.DocTestRunner(verbose=False, optionflags=doctest.NORMALIZE_WHITESPACE).run(
        test, out=report.append, clear_globs=False
    )
    assert not report, "".join(report)
