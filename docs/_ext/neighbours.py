"""Tables of other libraries' names beside ours: from `proposals/names.md`, and from `surgrad/peers.toml`.

    ```{names} snnTorch
    ```

is the table of names, with the column of that library and ours. Rows that the library has nothing for are left out.

    ```{surrogates} snnTorch
    ```

is the table of the library's surrogates.

    ```{conventions} Sinabs
    ```

is what else differs in it: the spike at the threshold, the reset, the decay.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from surgrad._peers import Library, libraries, rows

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


def library(name: str) -> Library:
    """The library of a name, as it is written.

    Raises:
        LookupError: there is none.
    """
    found = [one for one in libraries().values() if one.name == name]
    if not found:
        raise LookupError(f"no library {name} in peers.toml")
    return found[0]


def table_of_surrogates(name: str) -> list[Row]:
    """The call in a library with its defaults, the expression here in terms of its hyperparameters, and what to know.

    Raises:
        LookupError: there is no such library.
    """
    return [(f"`{row.call}`", f"`{row.here}`", row.note) for row in rows() if row.library == library(name)]


class Table(SphinxDirective):
    """Base of both: a table written in Markdown, which the page's parser reads."""

    required_arguments = 1
    optional_arguments = 0
    has_content = False
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

    last_columns = ("in the library it",)

    def rows(self) -> list[Row]:
        """One row for each."""
        return table_of_surrogates(self.arguments[0])


class Conventions(Table):
    """What differs in the library beside its surrogates."""

    def rows(self) -> list[Row]:
        """The spike at the threshold, the reset, the decay, and what was read."""
        one = library(self.arguments[0])
        return [
            (f"H(0) = {one.at_threshold:g}", "H(0) = 1"),
            (f"reset {one.reset}", "reset in the time step of the spike, by subtraction, with a derivative"),
            (f"`{one.decay}`", f"`{one.here}`"),
            (f"read: {one.read}", ""),
        ]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("names", Names)
    app.add_directive("surrogates", Surrogates)
    app.add_directive("conventions", Conventions)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
