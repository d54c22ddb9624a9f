"""Databases of studies: their addresses, and patience while one cannot be reached."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, TypeVar

from surgrad._extras import missing

try:
    import sqlalchemy as sql
    from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, NoSuchModuleError, OperationalError
    from sqlalchemy.pool import NullPool
except ModuleNotFoundError as error:
    raise ImportError(missing("a study in a table", "sqlalchemy")) from error

Result = TypeVar("Result")
PATIENCE = 3600.0
"""Seconds for which a database that cannot be reached is tried again while runs train."""
LONGEST = 30.0
"""The longest wait between two attempts, in seconds."""


def engine_of(database: str) -> sql.Engine:
    """The engine of a database, which connects anew for each transaction, so that no connection grows stale."""
    try:
        url = sql.make_url(database)
    except ArgumentError as error:
        raise ValueError(
            f"study: database must be an address, sqlite:///results.db or postgresql+psycopg://user@host/name, got "
            f"{database!r}."
        ) from error
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise ValueError(f"study: the database must be SQLite or PostgreSQL, got {url.render_as_string()}.")
    sqlite = url.get_backend_name() == "sqlite"
    if sqlite and not url.database:
        raise ValueError("study: a database in memory keeps nothing; give a file, sqlite:///results.db.")
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    try:
        return sql.create_engine(url, poolclass=NullPool, connect_args=connect_args(sqlite))
    except NoSuchModuleError as error:
        raise ValueError(f"study: SQLAlchemy has no driver {url.drivername!r}; use postgresql+psycopg.") from error
    except ModuleNotFoundError as error:
        raise ImportError(missing(f"the database {url.drivername}", "psycopg")) from error


def connect_args(sqlite: bool) -> dict[str, Any]:
    """The options of a connection: seconds to wait for a lock, or for a server."""
    return {"timeout": 60} if sqlite else {"connect_timeout": 10}


def patiently(action: Callable[[], Result], shown: str, tell: Callable[[str], None]) -> Result:
    """The result of an action, which is tried again while the database cannot be reached, or its disk is full.

    Parameters:
        action: one transaction, which does no harm a second time.
        shown: the address of the database, for messages.
        tell: a function that is called with a message before each attempt after a longer wait.

    Raises:
        OperationalError: the database could not be reached for an hour.
    """
    wait, since = 0.1, math.inf
    while True:
        try:
            return action()
        except DBAPIError as error:
            since = min(since, time.monotonic())
            if not isinstance(error, (OperationalError, InterfaceError)) or time.monotonic() > since + PATIENCE:
                raise
            if wait > 1:  # a database that is busy for a moment is no news
                tell(f"study: {shown}: {reason(error)}; trying again in {wait:.0f} s.")
        time.sleep(wait)
        wait = min(2 * wait, LONGEST)


def reason(error: DBAPIError) -> str:
    """What a database says is wrong, in one line."""
    return " ".join(str(error.orig).split()).rstrip(".")
