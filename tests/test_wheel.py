"""The wheel, as a stranger installs it: into an empty environment, with the core dependencies alone."""

import os
import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest

import surgrad
from surgrad._extras import EXTRAS, missing

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DISTRIBUTIONS = {"sklearn": "scikit-learn", "orbax": "orbax-checkpoint"}  # where the module has another name


def extra(name):
    """The distributions that an extra installs."""
    found = set()
    for requirement in PROJECT["optional-dependencies"][name]:
        distribution, bracket, inner = re.match(r"([\w.-]+)(\[)?([\w,]*)", requirement).groups()
        found |= set().union(*map(extra, inner.split(","))) if bracket else {distribution}
    return found


@pytest.mark.parametrize("name", EXTRAS)
def test_an_extra_installs_what_messages_say_it_does(name):
    assert {DISTRIBUTIONS.get(module, module) for module in EXTRAS[name]} <= extra(name)


def test_a_message_names_the_smallest_extra_that_installs_all_that_is_missing():
    assert missing("this", "matplotlib") == 'this needs Matplotlib: pip install "surgrad[plot]"'
    assert missing("this", "optax") == 'this needs Optax: pip install "surgrad[train]"'
    assert missing("this", "optax", "rich") == 'this needs Optax, Rich: pip install "surgrad[cli]"'
    assert missing("this", "rich", "matplotlib").endswith('"surgrad[demo]"')


OUTSIDE = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def run(*command, status=0, cwd=None, env=OUTSIDE):
    """What a command prints; it must end with the status."""
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder of programs, with the wheel and its core dependencies behind them, out of sight of this repository."""
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, env=None)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=True)
    programs = folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
    run(programs / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel)
    return programs


slow = pytest.mark.slow  # the environment takes a minute


@slow
def test_the_wheel_imports_with_the_core_dependencies_alone(installed, tmp_path):
    code = "import surgrad; from surgrad import encode, nn, tasks; print(surgrad.__version__, surgrad.__file__)"
    version, file = run(installed / "python", "-W", "error", "-c", code, cwd=tmp_path).split()
    assert version == surgrad.__version__
    assert "site-packages" in file


@slow
def test_the_wheel_brings_its_data_files(installed, tmp_path):
    code = "import surgrad; print(surgrad.cite(surgrad.Sigmoid())); print(surgrad.check(surgrad.Sigmoid()).ok)"
    printed = run(installed / "python", "-c", code, cwd=tmp_path)
    assert "@article" in printed
    assert printed.endswith("True\n")


@slow
@pytest.mark.parametrize("command", [["surgrad"], ["python", "-m", "surgrad"]], ids=" ".join)
def test_the_command_line_runs(installed, command, tmp_path):
    program = [installed / command[0], *command[1:]]
    assert run(*program, "--version", cwd=tmp_path) == f"surgrad {surgrad.__version__}\n"
    assert "FAILED" not in run(*program, "check", "relu_grad", cwd=tmp_path)
    assert "compare" in run(*program, cwd=tmp_path, status=2)
    assert run(*program, "explore", "--surrogates", "sigmoid", cwd=tmp_path) == "written to explorer.html\n"


COMMANDS = {
    "show": 'surgrad show: this command needs Matplotlib: pip install "surgrad[plot]"\n',
    "compare": 'surgrad compare: this command needs Optax, Rich, Matplotlib, SQLAlchemy: pip install "surgrad[demo]"\n',
    "calibrate": 'surgrad calibrate: this command needs Optax: pip install "surgrad[train]"\n',
}


@slow
@pytest.mark.parametrize(("command", "said"), COMMANDS.items(), ids=COMMANDS.keys())
def test_a_command_names_the_smallest_extra_that_suffices(installed, command, said, tmp_path):
    assert run(installed / "surgrad", command, cwd=tmp_path, status=2) == said


PROGRAMS = {
    "from surgrad import plot": 'surgrad.plot needs Matplotlib: pip install "surgrad[plot]"',
    "from surgrad import study": 'surgrad.study needs Optax: pip install "surgrad[train]"',
    "from surgrad import train": 'surgrad.train needs Optax: pip install "surgrad[train]"',
    "from surgrad import meta": 'surgrad.meta needs Optax: pip install "surgrad[train]"',
    "import surgrad; surgrad.tasks.digits()": 'the task digits needs scikit-learn: pip install "surgrad[data]"',
    "import surgrad.adapters.flax": 'surgrad.adapters.flax needs flax: pip install "surgrad[flax]"',
    "import surgrad.adapters.brainstate": 'surgrad.adapters.brainstate needs brainstate: pip install "surgrad[brain]"',
    "import surgrad.adapters.nir": 'surgrad.adapters.nir needs NIR (the package nir): pip install "surgrad[nir]"',
}


@slow
@pytest.mark.parametrize(("program", "said"), PROGRAMS.items(), ids=PROGRAMS.keys())
def test_a_package_names_the_smallest_extra_that_suffices(installed, program, said, tmp_path):
    assert f"ImportError: {said}" in run(installed / "python", "-c", program, cwd=tmp_path, status=1)
