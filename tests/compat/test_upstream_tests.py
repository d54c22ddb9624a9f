"""Upstream's own tests as a specification, and the script that runs them."""

import importlib.metadata
import importlib.util
import re
import subprocess
import sys

import pytest
import run_upstream_tests as script


def installed():
    return importlib.util.find_spec("braintools") and importlib.metadata.version("braintools")


@pytest.mark.slow
@pytest.mark.skipif(installed() != script.VERSION, reason=f"needs braintools {script.VERSION}")
def test_upstreams_tests_pass_on_surgrad_but_for_those_that_are_excused():
    done = subprocess.run([sys.executable, script.__file__], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    ran, passed, excused = map(int, re.search(r"run (\d+), passed (\d+), excused (\d+)", done.stdout).groups())
    assert ran == passed + excused > 800


@pytest.fixture
def record():
    """A run in which each excused test has failed and another has passed."""
    record = script.Record()
    record.passed = {"_impl_test.py::test_step"}
    record.failed = set(script.EXCUSES)
    return record


def test_a_run_succeeds_when_the_excused_tests_alone_fail(record):
    assert script.judge(record) == []


def test_a_failure_without_an_excuse_fails_the_run(record):
    record.failed.add("_impl_test.py::test_slope")
    assert script.judge(record) == ["failed without an excuse: _impl_test.py::test_slope"]


def test_an_excuse_that_is_not_needed_fails_the_run(record):
    excuse = next(iter(script.EXCUSES))
    record.failed.remove(excuse)
    record.passed.add(excuse)
    assert script.judge(record) == [f"an excuse that is not needed: {excuse}"]


def test_an_excuse_for_no_test_fails_the_run(record):
    excuse = next(iter(script.EXCUSES))
    record.failed.remove(excuse)
    assert script.judge(record) == [f"an excuse for no test: {excuse}"]


def test_a_file_that_cannot_be_collected_or_a_skipped_test_fails_the_run(record):
    record.broken.append("_base_test.py: ImportError")
    record.skipped.add("_impl_test.py::test_units")
    assert script.judge(record) == ["_base_test.py: ImportError", "skipped: _impl_test.py::test_units"]
