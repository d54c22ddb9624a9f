"""Names of classes and functions in files, `module:qualname`.

A file can cause the import of modules of this library alone. Names of other modules are found if the module has been
imported already. A public class of this library is found even if it has moved to another module.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from typing import Any

from surgrad._answers import place_of

Classes = Mapping[str, type]
"""The user's own classes, by qualified name and by name."""


def named(classes: Any) -> Classes:
    """Return a mapping of classes by name and by qualified name."""
    return {name: cls for cls in classes for name in (cls.__name__, cls.__qualname__)}


def name_of(value: Any, where: str) -> str:
    """Return the name of a class or a function for a file.

    Raises:
        TypeError: it is a function that is not found under its name: a lambda, one inside another, or decorated.
    """
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
    if not isinstance(value, type) and _in_module(module, name) is not value:
        raise TypeError(
            f"save: {where} is {value!r}, which cannot be found by its name, {module}:{name}; "
            f"give a function that is defined at the top of a module, and not decorated."
        )
    return f"{module}:{name}"


def found(name: str, classes: Classes, base: type = object, given: bool = False) -> Any:
    """Return the class or function that a name in a file stands for.

    Parameters:
        name: `module:qualname`.
        classes: the user's own.
        base: what the class must derive from.
        given: whether a class that is not of this library must be among `classes`.

    Raises:
        KeyError: there is no such class or function.
    """
    module, _, qualname = name.partition(":")
    ours = module.partition(".")[0] == __package__
    value = classes.get(qualname)
    if value is None and ours:
        value = _of_ours(module, qualname)
    elif value is None and not given:
        value = _in_module(module, qualname)
    if value is None or (base is not object and not (isinstance(value, type) and issubclass(value, base))):
        raise KeyError(_unknown(module, qualname, ours, given))
    return value


def _unknown(module: str, name: str, ours: bool, given: bool) -> str:
    if ours:
        return f"load: the file has {name} of surgrad, which this version does not have."
    if given:
        return f"load: the file has the class {name} of {module}; give it as classes=[{name.rpartition('.')[2]}]."
    return f"load: the file has {name} of the module {module}, which is not there; import that module first."


def _of_ours(module: str, name: str) -> Any:
    """Return what a name of this library stands for: the public one, else that in the module that the file names."""
    for candidate in (place_of(name).rpartition(".")[0], module):
        if candidate.partition(".")[0] != __package__:
            continue
        try:
            importlib.import_module(candidate)
        except ImportError:
            continue
        if (value := _in_module(candidate, name)) is not None:
            return value
    return None


def _in_module(module: str | None, name: str) -> Any:
    """Return what a qualified name stands for in an imported module; None if there is nothing."""
    value = sys.modules.get(module or "")
    for part in name.split("."):
        value = getattr(value, part, None)
    return value
