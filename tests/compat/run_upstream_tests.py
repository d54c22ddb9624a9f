"""The tests of braintools.surrogate, run against surgrad.

braintools installs with its own tests inside. They are copied into a temporary folder as they are, and run there with
pytest while `braintools.surrogate` stands for surgrad. The tests that must fail are excused in `excuses.py`, each with
its reason, for the versions that are named there. Any other failure fails the run, and so does an excuse that some test
does not need.

    python tests/compat/run_upstream_tests.py [-v] [--every N]
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import pathlib
import shutil
import sys
import tempfile
import types

import pytest
from excuses import VERSIONS, excused

import surgrad


class _Missing:
    """A private name of upstream, which can be imported but not used."""

    def __init__(self, name: str):
        self.name = name

    def __getattr__(self, _: str):
        self()

    def __call__(self, *args, **kwargs):
        raise NotImplementedError(f"surgrad has no {self.name}")


class Record:
    """A pytest plugin that notes what became of each test of a version; it runs each n-th, and all excused ones."""

    def __init__(self, version: str, every: int = 1):
        self.excuses, self.every = excused(version), every
        self.passed: set[str] = set()
        self.failed: set[str] = set()
        self.skipped: set[str] = set()
        self.broken: list[str] = []

    def excused(self, test: str) -> bool:
        """Whether a test is excused."""
        return test.startswith(tuple(self.excuses))

    def pytest_collection_modifyitems(self, items):
        items[:] = [t for i, t in enumerate(items) if i % self.every == 0 or self.excused(t.nodeid)]

    def pytest_collectreport(self, report):
        if report.failed:
            self.broken.append(f"{report.nodeid}: {report.longrepr}")

    def pytest_runtest_logreport(self, report):
        if report.skipped:
            self.skipped.add(report.nodeid)
        elif report.failed:
            self.failed.add(report.nodeid)
        elif report.when == "call":
            self.passed.add(report.nodeid)


def alias() -> None:
    """Let `braintools.surrogate` be surgrad, before anything imports it."""
    loaded = [name for name in sys.modules if name.startswith("braintools")]
    if loaded:
        raise RuntimeError(f"{loaded[0]} is imported already")
    base = types.ModuleType("braintools.surrogate._base")
    base.Surrogate = surgrad.Surrogate
    base.__getattr__ = _missing
    sys.modules |= {"braintools.surrogate": surgrad, base.__name__: base}


def _missing(name: str) -> _Missing:
    if name.startswith("__"):
        raise AttributeError(name)
    return _Missing(name)


def installed() -> str | None:
    """The version of braintools that is installed; None if it is not."""
    return importlib.metadata.version("braintools") if importlib.util.find_spec("braintools") else None


def find_tests() -> list[pathlib.Path]:
    """The files with upstream's tests, without importing them.

    Raises:
        SystemExit: braintools is not installed, not in a version that there are excuses for, or without tests.
    """
    known = " and ".join(VERSIONS)
    if (version := installed()) is None:
        sys.exit(f"braintools is not installed; try: pip install braintools=={VERSIONS[-1]} brainstate")
    if version not in VERSIONS:
        sys.exit(f"the excuses are for braintools {known}, and {version} is installed")
    spec = importlib.util.find_spec("braintools")
    files = sorted(pathlib.Path(spec.submodule_search_locations[0], "surrogate").glob("_*_test.py"))
    return files or sys.exit(f"braintools {version} is installed without its tests")


def run(files: list[pathlib.Path], record: Record, verbose: bool) -> None:
    """Note what becomes of upstream's tests when they run on surgrad."""
    alias()
    home = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            shutil.copy(file, folder)
        options = ["-c", os.devnull, "--rootdir", folder, "-o", "python_files=_*_test.py", "-W", "ignore"]
        options += ["-p", "no:cacheprovider", "--tb=short" if verbose else "--tb=no", "-v" if verbose else "-qq"]
        os.chdir(folder)
        try:
            pytest.main([*options, *([] if verbose else ["--no-summary"]), folder], plugins=[record])
        finally:
            os.chdir(home)
    if sys.modules["braintools"].surrogate is not surgrad or "braintools.surrogate._impl" in sys.modules:
        record.broken.append("braintools.surrogate did not stay surgrad")


def judge(record: Record) -> list[str]:
    """The reasons why the run fails, one a line; none if it succeeds."""
    problems = list(record.broken)
    problems += [f"failed without an excuse: {t}" for t in sorted(record.failed) if not record.excused(t)]
    problems += [f"skipped: {t}" for t in sorted(record.skipped)]
    for begins, excuse in record.excuses.items():
        tests = {t for t in record.passed | record.failed if t.startswith(begins)}
        if not excuse.rounding:
            problems += [f"an excuse that is not needed: {t}" for t in sorted(record.passed & tests)]
        if not tests:
            problems.append(f"an excuse for no test: {begins}")
    return problems


def report(record: Record, problems: list[str]) -> None:
    print(f"\nbraintools.surrogate {installed()}, its own tests on surgrad {surgrad.__version__}")
    failed = {t for t in record.failed if record.excused(t)}
    for begins, excuse in record.excuses.items():
        print(f"{sum(t.startswith(begins) for t in failed):4d} excused  {begins}*: {excuse.reason}")
    for problem in problems:
        print(problem)
    print(f"run {len(record.passed | record.failed)}, passed {len(record.passed)}, excused {len(failed)}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-v", "--verbose", action="store_true", help="show every test and every traceback")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="run each N-th test, and all excused ones")
    options = parser.parse_args(arguments)
    files, record = find_tests(), Record(installed(), options.every)
    run(files, record, options.verbose)
    problems = judge(record)
    report(record, problems)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
