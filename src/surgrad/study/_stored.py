"""Rows as they are in a table, with what made them."""

from __future__ import annotations

import dataclasses
from typing import Any

from surgrad.study._rows import Row


@dataclasses.dataclass(frozen=True)
class Stored:
    """A row as it is in the table, with what made it.

    Parameters:
        row: the result.
        study: the name of the study.
        checksum: the checksum of the configuration of the run.
        configuration: all that decided the result, as plain JSON.
        surgrad, jax, python: the versions that made it.
        commit: the commit of the Git repository in the working directory, with `-dirty` if files had changed; empty if
            there was none.
        finished: when, in ISO 8601, UTC.
        older: whether another version of surgrad made it than the one that reads it.
    """

    row: Row
    study: str
    checksum: str
    configuration: dict[str, Any]
    surgrad: str
    jax: str
    python: str
    commit: str
    finished: str
    older: bool


def read(database: str, name: str) -> list[Stored]:
    """All sound rows of a study in a table, those of older versions too, in the order in which they were finished.

    Parameters:
        database: `sqlite:///results.db` or `postgresql+psycopg://user@host/name`.
        name: the name of the study.

    Raises:
        ImportError: SQLAlchemy, or the driver of the database, is not installed.
        ConnectionError: the database cannot be reached.
        ValueError: the address is not one of a database.
    """
    from surgrad.study._table import Table

    return Table(database).sound(name)[0]
