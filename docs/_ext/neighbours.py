"""Tables of other libraries' names beside ours: from `proposals/names.md`, and from `surgrad._neighbours`.

    ```{names} snnTorch
    ```

is the table of names, with the column of that library and ours. Rows that the library has nothing for are left out.

    ```{surrogates} snnTorch
    fast_sigmoid sigmoid
    ```

is the table of the library's surrogates, whose names are given as the library spells them. A name without a
counterpart, and a counterpart that is not named, is a warning.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

import surgrad
from surgrad._neighbours import SAME_SURROGATE, SURROGATES

NAMES = Path(__file__).parent.parent.parent / "proposals" / "names.md"
TABLE, NOTHING = "<!-- table -->", "–"
logger = logging.getLogger(__name__)

Row = tuple[str, ...]


def table_of_names(library: str) -> list[Row]:
    """The name in the library, the name here, and what it is: a phone shows the first two without scrolling.

    Raises:
        LookupError: the table has no column of the library.
    """
    lines = NAMES.read_text(encoding="utf-8").partition(TABLE)[2].splitlines()
    head, _, *rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("|")]
    if library not in head:
        raise LookupError(f"{NAMES.name} has no column {library}")
    what, here, there = (head.index(column) for column in ("what", "here", library))
    return [(row[there], row[here], row[what]) for row in rows if row[there] != NOTHING]


def key(name: str) -> str:
    """The key of a name in `SURROGATES`, of any case, with underscores or without."""
    squashed = name.replace("_", "").lower()
    return SAME_SURROGATE.get(squashed, squashed)


def counterpart(library: str, name: str) -> Row:
    """The call in the library with its defaults, and the expression here in terms of its hyperparameters.

    A surrogate that is no row of the data has the same name, hyperparameters and defaults here.

    Raises:
        LookupError: no surrogate is its counterpart.
    """
    for row in SURROGATES.get(key(name), ()):
        if library in row.whose:
            given = ", ".join(f"{parameter}={value:g}" for parameter, value in row.parameters.items())
            return f"{name}({given})", row.here
    for ours in surgrad.catalogue():
        if key(ours) == key(name):
            return f"{name}()", f"{ours}()"
    raise LookupError(f"{name} of {library} has no counterpart in surgrad._neighbours")


def table_of_surrogates(library: str, names: list[str]) -> list[Row]:
    """Rows of the surrogates of a library.

    Raises:
        LookupError: the names are not those that have a counterpart.
    """
    left = {row for row, entries in SURROGATES.items() if any(library in entry.whose for entry in entries)}
    left -= {key(name) for name in names}
    if left:
        raise LookupError(f"surrogates of {library} in surgrad._neighbours that the page does not name: {sorted(left)}")
    return [counterpart(library, name) for name in names]


class Table(SphinxDirective):
    """Base of both: a table written in Markdown, which the page's parser reads."""

    required_arguments = 1
    optional_arguments = 0
    has_content = True
    last_columns: tuple[str, ...] = ()

    def rows(self) -> list[Row]:
        """The rows below the head."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """The nodes of the table, or a warning."""
        self.env.note_dependency(str(NAMES))
        try:
            rows = self.rows()
        except LookupError as error:
            logger.warning("%s", error, location=self.get_location())
            return []
        head = (self.arguments[0], "surgrad", *self.last_columns)
        lines = [f"| {' | '.join(row)} |" for row in (head, ("-",) * len(head), *rows)]
        found = nodes.Element()
        self.state.nested_parse(StringList(lines, self.arguments[0]), self.content_offset, found)
        for table in found.findall(nodes.table):
            table["classes"].append("neighbours")
        return found.children


class Names(Table):
    """Rows of the table of names."""

    last_columns = ("what",)

    def rows(self) -> list[Row]:
        """The rows that the library has something for."""
        return table_of_names(self.arguments[0])


class Surrogates(Table):
    """Surrogates of the library."""

    def rows(self) -> list[Row]:
        """The rows of the surrogates that the page names."""
        found = table_of_surrogates(self.arguments[0], " ".join(self.content).split())
        return [(f"`{there}`", f"`{here}`") for there, here in found]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("names", Names)
    app.add_directive("surrogates", Surrogates)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
