"""The project itself: what importing it costs and changes, its layers, its version, its pages."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import surgrad

markdown_it = pytest.importorskip("markdown_it")
ROOT = Path(__file__).parent.parent


def output(*command, status=0):
    """What a command prints in the project's folder; it must end with the status."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def tool(name):
    return str(Path(sys.executable).with_name(name))


def test_importing_changes_no_configuration_of_jax():
    code = "import jax; before = dict(jax.config.values); import surgrad; print(before == dict(jax.config.values))"
    assert output(sys.executable, "-c", code) == "True\n"


def test_importing_needs_the_core_dependencies_alone():
    code = "import surgrad, sys; print(*{name.partition('.')[0] for name in sys.modules})"
    extras = {"matplotlib", "sklearn", "optax", "rich", "brainstate", "brainunit", "flax", "equinox"}
    assert not extras & set(output(sys.executable, "-c", code).split())


def test_the_citation_names_the_version():
    assert f"\nversion: {surgrad.__version__}\n" in (ROOT / "CITATION.cff").read_text()


def test_every_public_name_is_documented():
    for name in surgrad.__all__:
        assert (getattr(surgrad, name).__doc__ or "").strip(), name


def test_modules_import_in_one_direction():
    output(tool("lint-imports"))


@pytest.mark.parametrize("arguments", [("check", "."), ("format", "--check", ".")], ids=" ".join)
def test_ruff_has_nothing_to_say(arguments):
    output(tool("ruff"), *arguments)


def test_constraints_name_versions_and_nothing_else():
    pin = re.compile(r"[\w.-]+==[\w.]+(; python_version [<>=]+ \"3\.12\")?")
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert not line or line.startswith("#") or pin.fullmatch(line), line


def test_an_old_python_is_told_so():
    code = "import sys; sys.version_info = (3, 9, 1); import run; run.main(['test'])"
    assert "need Python >= 3.11, have 3.9" in output(sys.executable, "-c", code, status=2)


def test_an_unknown_command_lists_those_that_exist():
    assert "test-versions" in output(sys.executable, "run.py", "tset", status=2)


def blocks(page):
    return re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.promotes("the page's code, as its readers run it")
@pytest.mark.unchecked("the page's code, as its readers run it")
def test_the_python_of_the_readme_runs_and_prints_what_it_says(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    names = {}
    with np.printoptions():
        for block in blocks("README.md"):
            exec(compile(block, "README.md", "exec"), names)
            expected = [line.partition("# -> ")[2].strip() for line in block.splitlines() if "# -> " in line]
            assert [line.strip() for line in capsys.readouterr().out.splitlines()] == expected, block


def links(page):
    """The targets of all links and images of a page."""
    tokens = markdown_it.MarkdownIt("commonmark").enable("table").parse((ROOT / page).read_text())
    inside = [child for token in tokens for child in token.children or ()]
    return [target for token in inside if (target := token.attrGet("href") or token.attrGet("src"))]


def test_links_of_the_long_description_work_away_from_the_repository():
    assert links("README.md")
    assert [link for link in links("README.md") if not link.startswith(("https://", "#"))] == []
