"""The table of tested versions on the page of development, from a run of the tests that need other frameworks.

    python benchmarks/tested_versions.py [--into FOLDER] [ENVIRONMENT ...]

The tests run in two environments with the newest releases that can be installed: on the oldest Python that surgrad
supports, and on the newest of this machine. They are made in FOLDER unless environments are given, which are used as
they are. The exit code is 1 if a test failed; the table says so too.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from xml.etree import ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import run  # noqa: E402, it lies in the folder above

PACKAGES = ("jax", "brainstate", "brainpy", "braintools", "brainunit", "flax", "equinox", "dm-haiku", "optax")
MARKERS = ("<!-- versions -->", "<!-- /versions -->")


class Row(NamedTuple):
    """What one environment holds, and how its tests ended."""

    versions: dict[str, str]
    passed: int
    skipped: int
    failed: int

    def cells(self) -> list[str]:
        """The row of the table."""
        counts = {"passed": self.passed, "skipped": self.skipped, "failed": self.failed}
        ended = ", ".join(f"{count} {how}" for how, count in counts.items() if count or how == "passed")
        return [*self.versions.values(), ended]


def pythons() -> list[str]:
    """The oldest Python that surgrad supports, and the newest, as far as they are here."""
    oldest = "python{}.{}".format(*run.OLDEST)
    here = sys.executable if sys.version_info[:2] == run.OLDEST else shutil.which(oldest)
    return [python for python in (here, run.newest_python()) if python]


def made(into: pathlib.Path) -> list[str]:
    """New environments, or those that an earlier call made; returns their Pythons."""
    inside = []
    for python in pythons():
        code = "import sys; print('%d.%d' % sys.version_info[:2])"
        name = subprocess.check_output([python, "-c", code], text=True).strip()
        folder = str(into / f".venv-adapters-{name}")
        inside.append(run.environment(folder, ["-e", ".[dev,adapters]", "--upgrade"], python, pinned=False))
    return inside


def versions(python: str) -> dict[str, str]:
    """The versions of Python and of the packages in an environment."""
    code = (
        "import importlib.metadata as m, json, platform, sys\n"
        "print(json.dumps({'Python': platform.python_version()} | {p: m.version(p) for p in sys.argv[1:]}))"
    )
    return json.loads(subprocess.check_output([python, "-c", code, *PACKAGES], text=True))


def tested(python: str) -> Row:
    """The tests that need frameworks, run in an environment."""
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "report.xml"
        subprocess.run([python, "-m", "pytest", *run.ADAPTERS, f"--junitxml={report}"], cwd=ROOT, check=False)
        counts = ElementTree.parse(report).getroot().find("testsuite")
    number = {key: int(counts.get(key)) for key in ("tests", "skipped", "failures", "errors")}
    failed = number["failures"] + number["errors"]
    return Row(versions(python), number["tests"] - number["skipped"] - failed, number["skipped"], failed)


def table(rows: Iterable[Row]) -> str:
    """The rows in Markdown."""
    lines = [["Python", *PACKAGES, "tests"], ["-"] * (len(PACKAGES) + 2), *(row.cells() for row in rows)]
    return "\n".join("|" + "|".join(f" {cell} " if cell != "-" else cell for cell in line) + "|" for line in lines)


def write(text: str, page: pathlib.Path) -> None:
    """Put a text between the markers of a page."""
    start, end = map(re.escape, MARKERS)
    old = page.read_text(encoding="utf-8")
    new, count = re.subn(f"(?s)({start}).*?({end})", lambda found: f"{found[1]}\n{text}\n{found[2]}", old)
    if count != 1:
        raise SystemExit(f"{page}: {' and '.join(MARKERS)} must stand in it once, found {count} times.")
    page.write_text(new, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tests, write the table, and return 1 if a test failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("environments", nargs="*", type=pathlib.Path, metavar="ENVIRONMENT")
    parser.add_argument("--into", type=pathlib.Path, default=ROOT, metavar="FOLDER")
    options = parser.parse_args(arguments)
    given = [run.binary(str(folder.absolute()), "python") for folder in options.environments]
    rows = [tested(python) for python in given or made(options.into.absolute())]
    write(table(rows), ROOT / "docs" / "reference" / "development.md")
    print(table(rows))
    return int(any(row.failed for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
