"""Upstream's own tests as a specification, and the script that runs them."""

import re
import subprocess
import sys

import pytest
import run_upstream_tests as script
from excuses import EXCUSES, VERSIONS, excused

has_upstream = pytest.mark.skipif(script.installed() not in VERSIONS, reason=f"needs braintools of {VERSIONS}")


def counts(*options):
    """How many of upstream's tests ran, passed, and failed with an excuse, in a process that imports them anew."""
    done = subprocess.run([sys.executable, script.__file__, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return map(int, re.search(r"run (\d+), passed (\d+), excused (\d+)", done.stdout).groups())


@pytest.mark.slow
@has_upstream
def test_upstreams_tests_pass_on_surgrad_but_for_those_that_are_excused():
    ran, passed, excused = counts()
    assert ran == passed + excused > 800


@has_upstream
def test_a_tenth_of_upstreams_tests_and_all_that_are_excused_do_as_well():
    ran, passed, excused = counts("--every", "10")
    assert ran == passed + excused > 80


def test_every_excuse_has_a_reason_and_a_test_of_a_version_that_is_run():
    for excuse in EXCUSES:
        assert len(excuse.reason) > 40
        assert excuse.tests.keys() <= set(VERSIONS)
        assert all(excuse.tests.values())


@pytest.fixture(params=VERSIONS)
def record(request):
    """A run of a version in which each excused test has failed and another has passed."""
    record = script.Record(request.param)
    record.passed = {"_impl_test.py::test_step"}
    record.failed = set(excused(request.param))
    return record


def test_a_run_succeeds_when_the_excused_tests_alone_fail(record):
    assert script.judge(record) == []


def test_a_failure_without_an_excuse_fails_the_run(record):
    record.failed.add("_impl_test.py::test_slope")
    assert script.judge(record) == ["failed without an excuse: _impl_test.py::test_slope"]


def test_an_excuse_that_is_not_needed_fails_the_run(record):
    excuse = next(iter(record.excuses))
    record.failed.remove(excuse)
    record.passed.add(excuse)
    assert script.judge(record) == [f"an excuse that is not needed: {excuse}"]


def test_a_matter_of_rounding_may_pass(record):
    for test in [test for test, excuse in record.excuses.items() if excuse.rounding]:
        record.failed.remove(test)
        record.passed.add(test)
    assert script.judge(record) == []


def test_an_excuse_for_no_test_fails_the_run(record):
    excuse = next(iter(record.excuses))
    record.failed.remove(excuse)
    assert script.judge(record) == [f"an excuse for no test: {excuse}"]


def test_a_file_that_cannot_be_collected_or_a_skipped_test_fails_the_run(record):
    record.broken.append("_base_test.py: ImportError")
    record.skipped.add("_impl_test.py::test_units")
    assert script.judge(record) == ["_base_test.py: ImportError", "skipped: _impl_test.py::test_units"]
