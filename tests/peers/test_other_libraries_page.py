"""The blocks of the page on using other libraries that the build of the site cannot run, since it has not got these."""

import contextlib
import io
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "other-libraries.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
FIRST_CELL = re.search(r"^```\{code-cell\}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)[1]
LIBRARIES = ("jaxpike", "jaxley", "snnax", "sparx", "spyx")


def library(block):
    """The library that a block imports."""
    return next(name for name in LIBRARIES if re.search(rf"^(import|from) {name}\b", block, re.MULTILINE))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("block", BLOCKS, ids=library)
def test_a_block_prints_what_it_says(block):
    pytest.importorskip(library(block), exc_type=ImportError)  # the release of snnax lacks modules
    names, printed = {}, io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(FIRST_CELL, "<page>", "exec"), names)
        exec(compile(block, "<page>", "exec"), names)
    claimed = [line.partition("# -> ")[2].strip() for line in block.splitlines() if "# -> " in line]
    assert claimed == printed.getvalue().splitlines()
