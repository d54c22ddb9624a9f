"""The configuration of `surgrad train`: a TOML file, its keys, their defaults, and what they make."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from surgrad._answers import nearest_names
from surgrad._numbers import require_whole
from surgrad.cli._usage import UsageError, reported

NETWORK = {"surrogate": "arctan:alpha=2", "hidden": 128, "depth": 1, "recurrent": 0.0, "tau": 20.0, "gain": 3.0}
OPTIMIZER = {"name": "adam", "learning_rate": 5e-3}
SECTIONS = {"network": NETWORK, "optimizer": OPTIMIZER}
OF_TASK = {"batch_size": 64, "validation_share": 0.1}
SHARED = {"epochs": 10, "seeds": [0], "accumulate": 1, "check_numbers": False}
WITHOUT_DEFAULT = {"task": str, "function": str, "patience": int, "batch_size": int, "network": dict, "optimizer": dict}
"""Keys that may be left out, and then stand for nothing, with their types."""


def read(path: Path) -> dict[str, Any]:
    """The configuration in a file, with defaults for what it does not say.

    Raises:
        UsageError: the file cannot be read, has an unknown key, or a value of another type.
    """
    try:
        given = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no TOML file: {error}.") from error
    known = {name: type(value) for name, value in (SHARED | OF_TASK).items()} | WITHOUT_DEFAULT
    _require_known(path, given, known)
    with reported(ValueError):
        counted = ("epochs", "accumulate", "batch_size", "patience")
        require_whole(str(path), **{name: given[name] for name in counted if name in given})
    if ("task" in given) == ("function" in given):
        raise UsageError(f'{path}: give task = "NAME" or function = "MODULE:FUNCTION", and not both.')
    if "function" in given:
        if extra := given.keys() & {"network", "optimizer", "validation_share"}:
            raise UsageError(f"{path}: {', '.join(sorted(extra))} are for tasks; the function returns its own.")
        return SHARED | given
    for name, defaults in SECTIONS.items():
        types = {key: type(value) for key, value in defaults.items()}
        if name == "network":
            _require_known(path, given.get(name, {}), types, f"{name}.")
    return SHARED | OF_TASK | given | {name: values | given.get(name, {}) for name, values in SECTIONS.items()}


def _require_known(path: Path, given: Mapping[str, Any], known: Mapping[str, type], place: str = "") -> None:
    for key, value in given.items():
        if key not in known:
            near = nearest_names(key, known)
            table = next((name for name, keys in SECTIONS.items() if key in keys and not place), None)
            if table:
                raise UsageError(f"{path}: {key} is a key of the table [{table}]; write it below this line.")
            there = f"the nearest is {place}{near[0]}" if near else f"there are {', '.join(known)}"
            raise UsageError(f"{path}: unknown key {place}{key}; {there}.")
        kinds = (int, float) if known[key] is float else (known[key],)
        if not isinstance(value, kinds) or (isinstance(value, bool) and known[key] is not bool):
            names = {
                dict: "table",
                list: "list",
                str: "string",
                int: "whole number",
                float: "number",
                bool: "true or false",
            }
            raise UsageError(
                f"{path}: {place}{key} must be a {names[known[key]]}, got {value!r}.".replace("a true", "true")
            )


def seeds(path: Path, configuration: Mapping[str, Any]) -> list[int]:
    """The seeds of a configuration.

    Raises:
        UsageError: there are none, or one is no whole number from 0 on, or is there twice.
    """
    found = configuration["seeds"]
    whole = all(type(seed) is int and 0 <= seed < 2**32 for seed in found)
    if not found or not whole or len(set(found)) < len(found):
        raise UsageError(f"{path}: seeds must be different whole numbers >= 0, at least one, got {found}.")
    return found


def optimizer(path: Path, options: Mapping[str, Any]) -> Any:
    """The optimiser of Optax that a table describes.

    Its keys are `name`, the keywords of that function of Optax, and `clip_norm`, the norm to which gradients are
    clipped. A table in place of `learning_rate` is a schedule, with the `name` and keywords of one of Optax.

    Raises:
        UsageError: Optax has no such function, or it takes other keywords.
    """
    import optax

    given = dict(options)
    clip = given.pop("clip_norm", None)
    if isinstance(given.get("learning_rate"), dict):
        schedule = _made(path, "optimizer.learning_rate", given["learning_rate"], _schedules(optax))
        given["learning_rate"] = schedule
    made = _made(path, "optimizer", given, _optimizers(optax))
    if clip is None:
        return made
    if isinstance(clip, bool) or not isinstance(clip, (int, float)) or clip <= 0:
        raise UsageError(f"{path}: optimizer.clip_norm must be a number > 0, got {clip!r}.")
    return optax.chain(optax.clip_by_global_norm(clip), made)


def _optimizers(optax: Any) -> dict[str, Callable[..., Any]]:
    functions = {name: getattr(optax, name) for name in dir(optax) if inspect.isfunction(getattr(optax, name))}
    return {name: one for name, one in functions.items() if "learning_rate" in inspect.signature(one).parameters}


def _schedules(optax: Any) -> dict[str, Callable[..., Any]]:
    return {name: getattr(optax, name) for name in dir(optax) if name.endswith("_schedule")}


def _made(path: Path, place: str, options: Mapping[str, Any], known: Mapping[str, Callable[..., Any]]) -> Any:
    """What a function of Optax makes of its keywords."""
    given = dict(options)
    name = given.pop("name", None)
    if name not in known:
        near = nearest_names(str(name), known) or sorted(known)
        raise UsageError(f"{path}: Optax has no {place}.name = {name!r}; the nearest: {', '.join(near)}.")
    parameters = list(inspect.signature(known[name]).parameters)
    for key in given:
        if key not in parameters:
            near = nearest_names(key, parameters)
            there = f"the nearest is {place}.{near[0]}" if near else f"optax.{name} takes {', '.join(parameters)}"
            raise UsageError(f"{path}: unknown key {place}.{key}; {there}.")
    with reported(TypeError, ValueError):
        return known[name](**given)


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What differs between two configurations, key by key; empty if nothing does."""
    one, other = _flat(before), _flat(now)
    names = [name for name in dict.fromkeys([*one, *other]) if one.get(name) != other.get(name)]
    return ", ".join(f"{name} was {one.get(name)!r}, and is {other.get(name)!r} now" for name in names)


def _flat(table: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in table.items():
        found |= _flat(value, f"{place}{name}.") if isinstance(value, dict) else {f"{place}{name}": value}
    return found
