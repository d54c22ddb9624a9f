"""The pages on coming from another library: their network and ours, and their lines.

A page has arrays in a cell that is executed, then a block of Python with the library's network, then a cell with ours.
Both leave `spikes` and `gradients`, those of the weights as (inputs, outputs). Blocks of Python are not executed where
the site is built, since the libraries are not there: here all of them run, and print what their comments say.
"""

import contextlib
import io
import re
from pathlib import Path

import numpy as np
import pytest

PAGES = Path(__file__).parents[2] / "docs" / "how-to" / "coming-from"
MARK = "# -> "


MODULES = ("snntorch", "spikingjelly", "norse", "spyx", "jaxpike")
"""Libraries that have a page of their own with a network; without them its tests are skipped."""
pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries, some of which warn where they are imported


def blocks(name):
    """The kinds and texts of a page's blocks of code."""
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    return re.findall(r"^```(python|\{code-cell\})[^\n]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def run(code, names):
    """Run a block, and compare what it prints with its comments."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "<page>", "exec"), names)
    claimed = [line.partition(MARK)[2].strip() for line in code.splitlines() if MARK in line]
    lines = [line.strip() for line in printed.getvalue().splitlines() if line.strip()]
    assert lines == (claimed or lines)


@pytest.mark.parametrize("name", MODULES)
def test_a_network_has_their_spikes_and_gradients(name):
    pytest.importorskip(name)
    found = blocks(name)
    first = [kind for kind, _ in found].index("python")
    theirs, ours = {}, {}
    for names, block in ((theirs, first), (ours, first + 1)):
        run(found[first - 1][1], names)
        run(found[block][1], names)
    expected, spikes = (np.asarray(names["spikes"]) for names in (theirs, ours))
    assert 0.02 < spikes.mean() < 0.5
    pairs = list(zip(theirs["gradients"], ours["gradients"], strict=True))
    errors = [float(np.abs(np.asarray(a) - np.asarray(b)).max() / np.abs(np.asarray(a)).max()) for a, b in pairs]
    print(f"{name}: spikes {np.abs(spikes - expected).max():g}, gradients {max(errors):.1e} of the largest")
    np.testing.assert_array_equal(spikes, expected)
    assert len(errors) == 2
    assert max(errors) < 1e-5


@pytest.mark.parametrize("name", MODULES)
def test_their_lines_print_what_the_page_says(name):
    pytest.importorskip(name)
    names = {}
    found = blocks(name)
    run(found[[kind for kind, _ in found].index("python") - 1][1], names)
    for kind, code in found:
        if kind == "python":
            run(code, names)
