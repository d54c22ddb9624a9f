"""Studies as TOML files."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from surgrad import tasks
from surgrad._answers import nearest_names
from surgrad._catalogue import lookup
from surgrad._files import require_file
from surgrad._resolved import resolved
from surgrad._surrogate import Surrogate
from surgrad.meta import Halving
from surgrad.study._settings import Settings, Variant, scaled

_NETWORK = "hidden", "depth", "recurrent", "tau", "gain", "build"
_SHARED = "seeds", "split_seed", "epochs", "steps", "batch", "learning_rate", "mapping"
_KEYS = "name", "surrogates", "scales", "tasks", "networks", "halving", *_SHARED


def read(path: Path) -> dict[str, Any]:
    """The arguments of `Study` that a TOML file describes.

    Raises:
        FileNotFoundError: there is no such file.
        KeyError, TypeError, ValueError: the file is no TOML, or a key or a value in it is wrong; messages name the
            file.
    """
    require_file(path)
    try:
        return _arguments(tomllib.loads(path.read_text(encoding="utf-8")), path.stem)
    except (KeyError, TypeError, ValueError) as error:
        raise type(error)(f"{path}: {error.args[0]}") from error


def _arguments(table: Mapping[str, Any], stem: str) -> dict[str, Any]:
    for key in table:
        if key in _NETWORK:
            raise ValueError(f"{key} is a key of each network; write networks = [{{ {key} = ... }}].")
    require_keys("the study", table, _KEYS)
    shared = {name: _hashable(table[name]) for name in _SHARED if name in table}
    if isinstance(shared.get("seeds"), int):
        raise ValueError("seeds must be a list of numbers, seeds = [0, 1, 2].")
    several = [
        Settings(**shared, **task, **network)
        for task in map(_task, table.get("tasks", [Settings.data]))
        for network in map(_network, table.get("networks", [{}]))
    ]
    scales = table.get("scales", [1.0])
    variants = [one for entry in _listed("surrogates", table) for one in _variants(entry, scales)]
    halving = None if "halving" not in table else _halving(table["halving"])
    return {"name": table.get("name", stem), "variants": variants, "settings": several, "halving": halving}


def _listed(name: str, table: Mapping[str, Any]) -> list[Any]:
    if not isinstance(table.get(name), list):
        raise ValueError(f'{name} must be a list, {name} = ["sigmoid", {{ name = "arctan", alpha = [1, 4] }}].')
    return table[name]


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _task(entry: Any) -> dict[str, Any]:
    """The settings of a task: its name, or a table of its name and its options."""
    name, options = _named("tasks", entry)
    tasks.lookup(name)
    return {"data": name, "options": tuple((key, _hashable(value)) for key, value in sorted(options.items()))}


def _network(entry: Any) -> dict[str, Any]:
    """The settings of a network; `build` is a function of the user, `module:function`."""
    if not isinstance(entry, dict):
        raise TypeError(f"each of networks must be a table, {{ hidden = 128 }}, got {entry!r}.")
    require_keys("a network", entry, _NETWORK)
    return {name: _of_the_user("build", value) if name == "build" else value for name, value in entry.items()}


def _variants(entry: Any, scales: Iterable[float]) -> list[Variant]:
    """The variants of a surrogate: at all scales, or at the values of the one hyperparameter that is listed."""
    name, given = _named("surrogates", entry)
    made: Any = _of_the_user("surrogates", name) if ":" in name else lookup(name)
    label = name.rpartition(":")[2]
    numbers = {key: value for key, value in given.items() if not isinstance(value, list)}
    lists = {key: value for key, value in given.items() if isinstance(value, list)}
    if not lists:
        return list(scaled(_made(made, numbers), [float(scale) for scale in scales], label))
    if len(lists) > 1:
        raise ValueError(f"{name}: one hyperparameter can be a list of values, got {' and '.join(lists)}.")
    ((parameter, values),) = lists.items()
    return [Variant(label, parameter, float(v), _made(made, {**numbers, parameter: v})) for v in values]


def _made(made: Any, numbers: Mapping[str, Any]) -> Surrogate:
    """The surrogate of a class, or one that the user has made, with some of its numbers replaced."""
    if isinstance(made, Surrogate):
        return made.replace(**numbers) if numbers else made
    return made(**numbers)


def _named(what: str, entry: Any) -> tuple[str, dict[str, Any]]:
    """The name and the other keys of an entry that is a name, or a table with a name."""
    if isinstance(entry, str):
        return entry, {}
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise TypeError(f'each of {what} must be a name or a table, {{ name = "..." }}, got {entry!r}.')
    return entry["name"], {key: value for key, value in entry.items() if key != "name"}


def _halving(entry: Any) -> Halving:
    """The options of successive halving; `true` stands for its defaults."""
    if entry is True:
        return Halving()
    if not isinstance(entry, dict):
        raise TypeError(f"halving must be true, or a table of options, got {entry!r}.")
    require_keys("halving", entry, ["rungs"])
    return Halving(rungs=tuple(map(tuple, entry.get("rungs", ()))) or None)


def _of_the_user(what: str, name: Any) -> Any:
    """What `module:name` in a file stands for."""
    if not isinstance(name, str):
        raise TypeError(f'{what} must be a name of yours, "module:name", got {name!r}.')
    try:
        return resolved(name)
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from error


def require_keys(what: str, table: Mapping[str, Any], known: Iterable[str]) -> None:
    """Check that a table has known keys alone.

    Raises:
        ValueError: it has another; the message gives the nearest.
    """
    known = list(known)
    for key in table:
        if key not in known:
            near = nearest_names(key, known)
            answer = f"the nearest is {near[0]!r}" if near else f"it has {', '.join(known)}"
            raise ValueError(f"{what} has no key {key!r}; {answer}.")
