"""The project itself: what importing it costs and changes, its layers, its version, its pages."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import surgrad

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120).stdout


def test_importing_changes_no_configuration_of_jax():
    code = "import jax, json; before = dict(jax.config.values); {}; print(json.dumps(before == dict(jax.config.values)))"
    assert json.loads(python(code.format("import surgrad")))


def test_importing_needs_the_core_dependencies_alone():
    loaded = python("import surgrad, sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))").split()
    extras = {"matplotlib", "sklearn", "optax", "rich", "brainstate", "brainunit", "flax", "equinox"}
    assert not extras & set(loaded)


def test_the_version_stands_once():
    assert surgrad.__version__ == PROJECT["project"]["version"]
    assert f"\nversion: {surgrad.__version__}\n" in (ROOT / "CITATION.cff").read_text()


def test_every_public_name_is_documented():
    for name in surgrad.__all__:
        assert (getattr(surgrad, name).__doc__ or "").strip(), name


def test_modules_import_in_one_direction():
    result = subprocess.run([Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("arguments", [("check", "."), ("format", "--check", ".")], ids=" ".join)
def test_ruff_has_nothing_to_say(arguments):
    result = subprocess.run([Path(sys.executable).with_name("ruff"), *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout


def test_constraints_name_versions_and_nothing_else():
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert not line or line.startswith("#") or re.fullmatch(r"[\w.-]+==[\w.]+(; python_version [<>=]+ \"3\.12\")?", line), line


def test_an_old_python_is_told_so():
    code = "import sys; sys.version_info = (3, 9, 1); import run; run.main(['test'])"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert result.returncode == 2
    assert "need Python >= 3.11, have 3.9" in result.stderr


def test_an_unknown_command_lists_those_that_exist():
    result = subprocess.run([sys.executable, "run.py", "tset"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert result.returncode == 2
    assert "test-versions" in result.stderr


def blocks(page):
    return re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", ["README.md"])
def test_the_python_of_a_page_runs_and_prints_what_it_says(page, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    names = {}
    with np.printoptions():
        for block in blocks(page):
            exec(compile(block, page, "exec"), names)
            expected = [line.partition("# -> ")[2].strip() for line in block.splitlines() if "# -> " in line]
            assert [line.strip() for line in capsys.readouterr().out.splitlines()] == expected, block
