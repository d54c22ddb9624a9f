"""The table of rows: one in SQLite or PostgreSQL, by SQLAlchemy, in which no finished row is lost or doubled."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import json
import math
import platform
import subprocess
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import Any

import jax
import sqlalchemy as sql
from sqlalchemy.exc import DBAPIError

from surgrad.study._configuration import checksum
from surgrad.study._database import engine_of, patiently, reason
from surgrad.study._rows import Row
from surgrad.study._stored import Stored
from surgrad.study._study import Run, Study

_METADATA = sql.MetaData()
_STUDIES = sql.Table(
    "surgrad_studies",
    _METADATA,
    sql.Column("name", sql.Text, primary_key=True),
    sql.Column("configuration", sql.Text, nullable=False),
    sql.Column("checksum", sql.Text, nullable=False),
)
_KINDS = {"str": sql.Text, "float": sql.Double, "int": sql.BigInteger}
_RUNS = sql.Table(
    "surgrad_runs",
    _METADATA,
    *(sql.Column(name, sql.Text, primary_key=True) for name in ("study", "checksum", "surgrad")),
    *(sql.Column(field.name, _KINDS[str(field.type)]) for field in dataclasses.fields(Row)),
    *(sql.Column(name, sql.Text) for name in ("configuration", "jax", "python", "commit", "finished", "digest")),
)


class Table:
    """The table in a database; the constructor creates it if it is missing.

    Parameters:
        database: the address.
        tell: a function that is called with a message when the database is tried again, or a row is corrupt.
        patient: whether a database that cannot be reached is tried again for an hour.

    Raises:
        ImportError, ConnectionError, ValueError: see `read`.
    """

    def __init__(self, database: str, tell: Callable[[str], None] = warnings.warn, patient: bool = False):
        self._tell, self.engine = tell, engine_of(database)
        self.shown = self.engine.url.render_as_string(hide_password=True)
        try:
            self.patiently(self._create) if patient else self._create()
        except DBAPIError as error:
            raise ConnectionError(
                f"study: the database {self.shown} cannot be used, and nothing has been trained: {reason(error)}."
            ) from error

    def _create(self) -> None:
        for attempt in range(3):
            try:
                _METADATA.create_all(self.engine)
                return
            except DBAPIError:  # another process may have created it at the same moment
                if attempt == 2:
                    raise
                time.sleep(0.2)

    def register(self, study: Study) -> None:
        """Enter a study under its name.

        Raises:
            ValueError: another study has that name.
        """
        new = {"name": study.name, "checksum": study.checksum, "configuration": json.dumps(study.configuration)}

        def enter() -> Any:
            with self.engine.begin() as connection:
                connection.execute(_insert(self.engine, _STUDIES), new)
                found = sql.select(_STUDIES).where(_STUDIES.c.name == study.name)
                return connection.execute(found).one()

        known = self.patiently(enter)
        if known.checksum != study.checksum:
            where = difference(json.loads(known.configuration), study.configuration)
            raise ValueError(
                f"study: the table in {self.shown} has another study of the name {study.name!r}: {where}; give this "
                f"one another name, or another database."
            )

    def add(self, study: Study, runs: Sequence[Run], rows: Sequence[Row]) -> None:
        """Add the rows of finished runs; one that is there stays as it is."""
        versions, when = _versions(), datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        values = []
        for run, row in zip(runs, rows, strict=True):
            made = {"study": study.name, "checksum": run.checksum, **versions, "finished": when}
            value = made | _values(row) | {"configuration": json.dumps(run.configuration, sort_keys=True)}
            values.append(value | {"digest": checksum(value)})

        def insert() -> None:
            with self.engine.begin() as connection:
                connection.execute(_insert(self.engine, _RUNS), values)

        self.patiently(insert)

    def sound(self, name: str) -> tuple[list[Stored], list[dict[str, Any]]]:
        """The sound rows of a study in the order in which they were finished, and the corrupt ones as they are."""

        def select() -> list[dict[str, Any]]:
            with self.engine.connect() as connection:
                found = sql.select(_RUNS).where(_RUNS.c.study == name)
                return [dict(row) for row in connection.execute(found).mappings()]

        sound: list[Stored] = []
        corrupt: list[dict[str, Any]] = []
        for values in self.patiently(select):
            if _wrong(values):
                corrupt.append(values)
            else:
                sound.append(_stored(values))
        return sorted(sound, key=lambda one: one.finished), corrupt

    def repaired(self, name: str) -> list[Stored]:
        """The sound rows of a study; corrupt ones are reported, and removed from the table."""
        sound, corrupt = self.sound(name)
        for values in corrupt:
            self._tell(
                f"study: the row {values['checksum']} of {name!r} is corrupt, {_wrong(values)}; it is removed, and its "
                f"run computed again."
            )
            keys = [_RUNS.c[key] == values[key] for key in ("study", "checksum", "surgrad")]

            def remove(keys: Any = keys) -> None:
                with self.engine.begin() as connection:
                    connection.execute(sql.delete(_RUNS).where(*keys))

            self.patiently(remove)
        return sound

    def done(self, name: str, older: bool) -> set[str]:
        """The checksums of the runs of a study that are in the table; whether their rows are sound is not checked."""
        found = sql.select(_RUNS.c.checksum).where(_RUNS.c.study == name)
        found = found if older else found.where(_RUNS.c.surgrad == version())

        def select() -> set[str]:
            with self.engine.connect() as connection:
                return set(connection.scalars(found))

        return self.patiently(select)

    def patiently(self, action: Callable[[], Any]) -> Any:
        """The result of an action, see `_database.patiently`."""
        return patiently(action, self.shown, self._tell)


def version() -> str:
    """The version of surgrad."""
    return import_module(__name__.partition(".")[0]).__version__


def _versions() -> dict[str, str]:
    return {"surgrad": version(), "jax": jax.__version__, "python": platform.python_version(), "commit": _commit()}


@functools.cache
def _commit() -> str:
    """The commit of the Git repository in the working directory; empty if there is none."""
    # Without the option Git would write its index, and leave a lock behind where a disk is full.
    git = "git", "--no-optional-locks"
    try:
        commit = _output(*git, "rev-parse", "HEAD")
        return commit + "-dirty" * bool(_output(*git, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return ""


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()


def _insert(engine: sql.Engine, table: sql.Table) -> Any:
    """An insertion that leaves a row alone which has the same key."""
    from sqlalchemy.dialects import postgresql, sqlite

    dialect = {"sqlite": sqlite, "postgresql": postgresql}[engine.dialect.name]
    return dialect.insert(table).on_conflict_do_nothing()


def _values(row: Row) -> dict[str, Any]:
    """The values of a row as the table holds them; None stands for NaN, which SQLite does not hold."""
    kinds = {"str": str, "int": int, "float": float}
    values = {field.name: kinds[str(field.type)](getattr(row, field.name)) for field in dataclasses.fields(row)}
    return {name: None if value != value else value for name, value in values.items()}


def _stored(values: dict[str, Any]) -> Stored:
    numbers = {field.name: values[field.name] for field in dataclasses.fields(Row)}
    finite: dict[str, Any] = {name: math.nan if value is None else value for name, value in numbers.items()}
    names = "study", "checksum", "surgrad", "jax", "python", "commit", "finished"
    configuration = json.loads(values["configuration"])
    kept = {name: values[name] for name in names}
    return Stored(Row(**finite), configuration=configuration, older=values["surgrad"] != version(), **kept)


def _wrong(values: dict[str, Any]) -> str:
    """What is wrong with a row of the table; empty if nothing is."""
    for column in _RUNS.columns:
        kind, value = column.type.python_type, values[column.name]
        if not isinstance(value, kind) and not (value is None and kind is float):
            return f"its {column.name} is {value!r}"
    if checksum({name: value for name, value in values.items() if name != "digest"}) != values["digest"]:
        return "its values are not those that were written"
    return ""


def difference(there: Any, here: Any, where: str = "") -> str:
    """The first difference of two plain configurations, in words; empty if there is none."""
    if isinstance(there, dict) and isinstance(here, dict):
        pairs: Iterable[Any] = ((f".{key}", there.get(key), here.get(key)) for key in {**there, **here})
    elif isinstance(there, list) and isinstance(here, list) and len(there) == len(here):
        pairs = ((f"[{i}]", *both) for i, both in enumerate(zip(there, here, strict=True)))
    else:
        shown = [f"{len(side)} of them" if isinstance(side, list) else repr(side) for side in (there, here)]
        return "" if there == here else f"{where.lstrip('.')} is {shown[0]} there, {shown[1]} here"
    return next((found for key, one, other in pairs if (found := difference(one, other, where + key))), "")
