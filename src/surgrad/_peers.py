"""Surrogates of other libraries, read from `peers.toml`: what is called what, and what it is here.

The file is read when it is first asked for, since only messages, `lookup` and `convert` need it.
"""

from __future__ import annotations

import ast
import functools
import tomllib
from pathlib import Path
from typing import NamedTuple

_FILE = Path(__file__).with_name("peers.toml")
_OTHER_NAMES = "other_names"


class Library(NamedTuple):
    """A library, and what else differs there.

    Parameters:
        key: the name of its package.
        name: how it is written.
        read: the version, and the files in which its formulas were read.
        at_threshold: the spike where the membrane potential equals the threshold, 1 here.
        reset: when and how its neurons are reset, and whether the reset has a derivative.
        decay: how its neurons decay, and how the input is scaled.
        here: what does the same here.
    """

    key: str
    name: str
    read: str
    at_threshold: float
    reset: str
    decay: str
    here: str


class Row(NamedTuple):
    """A surrogate of another library, as an expression of this one that has exactly the same slope.

    Parameters:
        library: the library.
        name: its name there.
        parameters: their names of the hyperparameters, with their defaults.
        here: the expression, in terms of their parameters and of public names of this library.
        note: what a user should know, such as where the library's own code is wrong; empty if nothing.
        unused: parameters that change nothing there.
    """

    library: Library
    name: str
    parameters: dict[str, int | float]
    here: str
    note: str
    unused: frozenset[str]

    @property
    def full_name(self) -> str:
        """The name that `convert` takes: `"snntorch.atan"`."""
        return f"{self.library.key}.{self.name}"

    @property
    def call(self) -> str:
        """The call there with its defaults: `"atan(alpha=2)"`."""
        return f"{self.name}({', '.join(f'{name}={value:g}' for name, value in self.parameters.items())})"


def squashed(name: str) -> str:
    """Return a name without underscores and hyphens and in lower case: `fast_sigmoid` and `FastSigmoid` are one."""
    return name.replace("_", "").replace("-", "").lower()


@functools.cache
def libraries() -> dict[str, Library]:
    """Return all libraries by their keys."""
    fields = [field for field in Library._fields if field != "key"]
    return {key: Library(key, *(table[field] for field in fields)) for key, table in _tables().items()}


@functools.cache
def rows() -> tuple[Row, ...]:
    """Return all surrogates of all libraries, in the order of the file."""
    found = []
    for key, table in _tables().items():
        notes, unused = table.get("notes", {}), table.get("unused", {})
        for call, here in table["surrogates"].items():
            name, parameters = _parsed(call)
            row = Row(libraries()[key], name, parameters, here, notes.get(name, ""), frozenset(unused.get(name, ())))
            found.append(row)
    return tuple(found)


def rows_named(name: str) -> list[Row]:
    """Return the surrogates of a name, of any case, with underscores or without, or by another name of the same."""
    wanted = canonical(name)
    return [row for row in rows() if canonical(row.name) == wanted]


def canonical(name: str) -> str:
    """Return the key under which the surrogates of a name and of its other names are found."""
    return other_names().get(squashed(name), squashed(name))


@functools.cache
def other_names() -> dict[str, str]:
    """Return other names of the same surrogates, as keys."""
    return _read()[_OTHER_NAMES]


@functools.cache
def _read() -> dict[str, dict]:
    return tomllib.loads(_FILE.read_text("utf-8"))


def _tables() -> dict[str, dict]:
    return {key: table for key, table in _read().items() if key != _OTHER_NAMES}


def _parsed(call: str) -> tuple[str, dict[str, int | float]]:
    """Return the name and the parameters of `"name(parameter=default)"`."""
    tree = ast.parse(call, mode="eval").body
    assert isinstance(tree, ast.Call)
    return ast.unparse(tree.func), {str(word.arg): ast.literal_eval(word.value) for word in tree.keywords}
