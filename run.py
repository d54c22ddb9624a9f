#!/usr/bin/env python3
"""The project's commands, for a machine that has Python, pip and venv: `python3 run.py demo`, `test`, ...

Everything is installed into `.venv` next to this file, once, and again when the requirements change. This file must be
readable by old Pythons too, so that they can be told that they are too old.
"""

import glob
import hashlib
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
OLDEST = (3, 11)
COMMANDS = {
    "demo": "train networks with twelve surrogates on handwritten digits; table, picture and data in results/compare",
    "test": "run the tests (`slow` ones excepted)",
    "test-slow": "run the slow tests",
    "test-versions": "run the core's tests on the oldest and on the newest JAX that this machine can install",
    "test-adapters": "run the tests that need brainstate, brainpy, flax, equinox and Haiku, on the newest Python too",
    "test-peers": "run the tests beside other libraries, PyTorch's and sparx among them (4 GB; CPU builds suffice)",
    "bench": "measure surgrad beside other libraries; JSON, page and pictures in benchmarks/results (hours; --quick)",
    "docs": "build the site into docs/_build/html, strictly: each page's code runs, links and words are checked",
    "package": "build the wheel and the source archive into dist, check both, try the wheel by itself",
    "lint": "run ruff, pyright (types of the public surface too), import-linter, codespell and the spell-checker",
    "setup": "only create the environment",
}
SPELLED = ("src", "tests", "docs", "tools", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "run.py")
SITE = os.path.join("docs", "_build", "html")
# The wheel of aeon carries JapaneseVowels. It is not imported, and its own requirements do not fit ours.
DATA = ["--no-deps", "aeon==1.6.*"]
PACKAGERS = ["build", "hatchling", "twine"]
PEERS = ("tests/peers", "tests/test_benchmarks.py", "-m", "slow or not slow")
SPARX = (
    "tests/peers/test_surrogates_in_peers.py",
    "tests/peers/test_other_libraries_page.py",
    "tests/peers/test_their_cells.py",
)
ADAPTERS = ("tests/adapters", "tests/documents", "tests/compat", "tests/test_half_precision_training.py")


def say(text):
    print("surgrad: " + text, file=sys.stderr)
    sys.stderr.flush()


def fail(text):
    say(text)
    sys.exit(2)


def call(*command):
    say("$ " + " ".join(command))
    status = subprocess.call(command, cwd=HERE)
    if status:
        sys.exit(status)


def binary(folder, name):
    return os.path.join(folder, "Scripts" if os.name == "nt" else "bin", name)


def fingerprint(requirements):
    digest = hashlib.sha256(repr((requirements, DATA, sys.version)).encode())
    for name in ("pyproject.toml", "constraints.txt"):
        with open(os.path.join(HERE, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def environment(folder, requirements, python=sys.executable, pinned=True):
    """Create a virtual environment with the project in it, unless it is there and up to date; return its Python."""
    folder = os.path.join(HERE, folder)
    marker, mark = os.path.join(folder, "surgrad-ready"), fingerprint(requirements)
    inside = binary(folder, "python")
    if os.path.exists(marker) and open(marker).read() == mark:
        return inside
    say("setting up %s (about a minute, 800 MB)" % os.path.basename(folder))
    shutil.rmtree(folder, ignore_errors=True)
    pins = ["-c", "constraints.txt"] if pinned else []
    uv = shutil.which("uv")
    if uv:
        call(uv, "venv", "--quiet", "--python", python, folder)
        install = [uv, "pip", "install", "--quiet", "--python", inside]
    else:
        call(python, "-m", "venv", folder)
        install = [inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    call(*(install + pins + requirements))
    if "-e" in requirements:
        call(*(install + DATA))
    with open(marker, "w") as file:
        file.write(mark)
    return inside


def newest_python():
    """The newest Python of this machine that runs, or None: the newest JAX wants a newer one than we do."""
    found = []
    for minor in range(20, 11, -1):
        found += [shutil.which("python3.%d" % minor)]
        found += sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/3.%d.*/bin/python3" % minor)))[-1:]
    for python in filter(None, found):
        if subprocess.call([python, "-c", "import venv"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0:
            return python
    return None


def test_versions():
    tests = ["-m", "pytest", "-m", "versions and not slow"]
    call(environment(".venv-oldest", ["-e", ".[dev]", "jax==0.8.0", "jaxlib==0.8.0"], pinned=False), *tests)
    python = newest_python()
    if python is None:
        say("no Python >= 3.12 here, which the newest JAX needs: tested the oldest alone")
        return
    call(environment(".venv-newest", ["-e", ".[dev]", "--upgrade"], python, pinned=False), *tests)


def test_adapters(options):
    """On this Python, and on the newest, which other releases of the frameworks want: braintools 0.4 needs 3.12."""
    requirements = ["-e", ".[dev,adapters]"]
    tests = ["-m", "pytest", *ADAPTERS + tuple(options)]
    call(environment(".venv-adapters", requirements), *tests)
    if sys.version_info >= (3, 12):
        return
    python = newest_python()
    if python is None:
        say("no Python >= 3.12 here, which braintools 0.4 needs: tested braintools 0.3 alone")
        return
    call(environment(".venv-adapters-newest", [*requirements, "--upgrade"], python, pinned=False), *tests)


def test_peers(options):
    """Beside all peers but sparx on this Python, and beside sparx on the newest: it needs 3.12, and pins JAX."""
    call(environment(".venv-peers", ["-e", ".[dev,peers]"]), "-m", "pytest", *PEERS + tuple(options))
    python = newest_python()
    if python is None:
        say("no Python >= 3.12 here, which sparx needs: its tests were skipped")
        return
    call(environment(".venv-sparx", ["-e", ".[dev,sparx]"], python, False), "-m", "pytest", *SPARX + tuple(options))


def package():
    """Build both archives into an emptied `dist`, check their metadata, and run the tests of the wheel."""
    shutil.rmtree(os.path.join(HERE, "dist"), ignore_errors=True)
    python = environment(".venv-package", PACKAGERS)
    call(python, "-m", "build", "--no-isolation")
    call(python, "-m", "twine", "check", "--strict", *sorted(glob.glob(os.path.join(HERE, "dist", "*"))))
    call(environment(".venv", ["-e", ".[dev]"]), "-m", "pytest", "-m", "slow", "tests/test_wheel.py")


def docs(options):
    """Build the site; warnings are errors, and executed pages are kept by their content in docs/_build/cache."""
    python = environment(".venv-docs", ["-e", ".[docs]"])
    call(python, "tools/spelling.py", "docs")
    call(python, "tools/cells.py", "docs")
    call(python, "-m", "sphinx", "-W", "--keep-going", "-j", "2", "-b", "html", *options, "docs", SITE)
    call(python, "tools/links.py", SITE)
    say("the site is in %s: open index.html" % os.path.join(HERE, SITE))


def main(arguments):
    if sys.version_info < OLDEST:
        have, need = (".".join(map(str, version[:2])) for version in (sys.version_info, OLDEST))
        fail(
            "need Python >= %s, have %s at %s; use a newer one: make PYTHON=python%s"
            % (need, have, sys.executable, need)
        )
    if not arguments or arguments[0] not in COMMANDS:
        known = "\n".join("  %-14s %s" % item for item in COMMANDS.items())
        fail("usage: python3 run.py COMMAND [options of the command]\n" + known)
    command, rest = arguments[0], arguments[1:]
    if command == "test-versions":
        return test_versions()
    if command == "test-adapters":
        return test_adapters(rest)
    if command == "test-peers":
        return test_peers(rest)
    if command == "docs":
        return docs(rest)
    if command == "package":
        return package()
    if command == "bench":
        return call(environment(".venv-peers", ["-e", ".[dev,peers]"]), "-m", "benchmarks.compare", *rest)
    python = environment(".venv", ["-e", ".[dev]"])
    if command == "demo":
        say("training; the table below is also in results/compare")
        call(python, "-m", "surgrad", "compare", *rest)
    elif command == "test":
        call(python, "-m", "pytest", *rest)
    elif command == "test-slow":
        call(python, "-m", "pytest", "-m", "slow", *rest)
    elif command == "lint":
        call(python, "-m", "ruff", "check", ".")
        call(python, "-m", "ruff", "format", "--check", ".")
        call(binary(os.path.join(HERE, ".venv"), "lint-imports"))
        call(binary(os.path.join(HERE, ".venv"), "pyright"))
        call(binary(os.path.join(HERE, ".venv"), "codespell"), *SPELLED)
        call(python, "tools/spelling.py")
        call(python, "tools/type_completeness.py")
    return None


if __name__ == "__main__":
    main(sys.argv[1:])
