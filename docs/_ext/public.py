"""The public names of the library, their members, and which of them have no documentation; read from the code alone."""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib
import inspect
import itertools
import pkgutil
import re
import sys
import textwrap
from collections.abc import Iterator
from types import ModuleType
from typing import Any, NamedTuple

ROOT = "surgrad"
COMMANDS = "surgrad.cli"
"""The command line has a page of its own, and no names to import."""

PROMISE = re.compile(r"^- `(\w+)`: (.*)")
ENTRY = re.compile(r"^    ([\w*, ]+):")


class Name(NamedTuple):
    """A public name, and the package that has it."""

    package: str
    name: str
    object: Any

    @property
    def path(self) -> str:
        """The name with its package."""
        return f"{self.package}.{self.name}"


def packages(root: str = ROOT, optional: bool = False) -> list[str]:
    """Public packages and modules; with `optional`, without those that need something that is not installed."""
    found = [root]
    for module in pkgutil.iter_modules(importlib.import_module(root).__path__):
        name = f"{root}.{module.name}"
        if module.name.startswith("_") or name == COMMANDS:
            continue
        try:
            importlib.import_module(name)
        except ImportError:
            if optional:
                continue
            raise
        found += packages(name, optional) if module.ispkg else [name]
    return found


def names(package: str) -> list[Name]:
    """What a package lists in `__all__`, or else what it defines itself."""
    module = importlib.import_module(package)
    listed = getattr(module, "__all__", None)
    if listed is None:
        listed = [n for n, value in vars(module).items() if not n.startswith("_") and defined_in(value, package)]
    return [Name(package, name, getattr(module, name)) for name in listed]


def defined_in(value: Any, module: str) -> bool:
    """Whether a value is a function or a class that a module defines."""
    return (inspect.isfunction(value) or inspect.isclass(value)) and value.__module__ == module


def everything(optional: bool = False) -> list[Name]:
    """All public names of all packages."""
    return [name for package in packages(optional=optional) for name in names(package)]


def homes(found: list[Name]) -> dict[str, str]:
    """The path of each public name by which it is documented: of the same object in several packages, the first.

    Values that are equal, such as numbers, are not the same.
    """
    first: dict[int, str] = {}
    for name in found:
        if inspect.isclass(name.object) or inspect.isroutine(name.object):
            first.setdefault(id(name.object), name.path)
    return {name.path: first.get(id(name.object), name.path) for name in found}


def doc_of(name: Name) -> str:
    """The documentation of a public name: its docstring, or the string below its assignment if it is a value."""
    if inspect.isclass(name.object) or inspect.isroutine(name.object):
        return inspect.cleandoc(name.object.__doc__ or "")
    return strings(source_of(name)).get(name.name, "")


def source_of(name: Name) -> ModuleType:
    """The module that assigns a public value: the one that its package imports it from, or the package."""
    module = importlib.import_module(name.package)
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ImportFrom) and any((a.asname or a.name) == name.name for a in node.names):
            return importlib.import_module(node.module or name.package)
    return module


@functools.cache
def strings(owner: Any) -> dict[str, str]:
    """The strings below the assignments of a module or class, by the assigned name."""
    try:
        tree: Any = ast.parse(textwrap.dedent(inspect.getsource(owner)))
    except (OSError, TypeError):
        return {}
    body = tree.body if isinstance(owner, ModuleType) else tree.body[0].body
    body = [inner for node in body for inner in (node.body + node.orelse if isinstance(node, ast.If) else [node])]
    found = {}
    for node, following in itertools.pairwise(body):
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(following, ast.Expr):
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            value = following.value
            if isinstance(target, ast.Name) and isinstance(value, ast.Constant) and isinstance(value.value, str):
                found[target.id] = inspect.cleandoc(value.value)
    return found


def entries(doc: str | None, sections: tuple[str, ...] = ("Parameters", "Attributes")) -> list[str]:
    """What some sections of a docstring describe, in order."""
    found: list[str] = []
    inside = False
    for line in inspect.cleandoc(doc or "").splitlines():
        if line and not line.startswith(" "):
            inside = line.endswith(":") and line[:-1] in sections
        elif inside and (entry := ENTRY.match(line)):
            found += [part.strip(" *") for part in entry[1].split(",")]
    return found


def ours(cls: type) -> list[type]:
    """The classes of this library that a class is made of, itself first."""
    return [base for base in cls.__mro__ if base.__module__.partition(".")[0] == ROOT or base is cls]


def fields(cls: type) -> list[str]:
    """Names of the public fields of a class: what its constructor takes, and what it holds."""
    declared = [f.name for f in dataclasses.fields(cls)] if dataclasses.is_dataclass(cls) else []
    return [n for n in (*declared, *getattr(cls, "_fields", ())) if not n.startswith("_")]


def undocumented_fields(cls: type) -> list[str]:
    """The fields that neither an entry of a docstring nor a string of their own describes."""
    described = set[str]().union(*({*entries(base.__doc__), *strings(base)} for base in ours(cls)))
    return [name for name in fields(cls) if name not in described]


class Member(NamedTuple):
    """A method, property or class attribute of a class, its kind for Sphinx, and its documentation."""

    name: str
    kind: str
    doc: str


def members(cls: type, public: frozenset[type]) -> list[Member]:
    """What a class has and no public class above it documents; a member that has no documentation is among them.

    Parameters:
        cls: a class.
        public: all public classes.
    """
    above = [base for base in cls.__mro__[1:] if base in public]
    found = []
    for name, owner in _owners(cls).items():
        documented_above = any(hasattr(base, name) for base in above)
        if any(owner in base.__mro__ for base in above) or (documented_above and not _doc(owner, name)):
            continue
        kind = _kind(vars(owner)[name])
        docs = [_doc(base, name) if name in vars(base) else strings(base).get(name) for base in ours(cls)]
        if kind == "attribute" and isinstance(vars(owner)[name], bool):
            kind, docs = "promise", [promised(above).get(name), *docs]
        found.append(Member(name, kind, next(filter(None, docs), "")))
    return found


def promised(above: list[type]) -> dict[str, str]:
    """The promises that classes may make, as the modules of the public classes above them list them."""
    modules = {sys.modules[base.__module__] for base in above}
    lines = [line for module in modules for line in (module.__doc__ or "").splitlines()]
    return {found[1]: found[2] for found in map(PROMISE.match, lines) if found}


def _owners(cls: type) -> dict[str, type]:
    """The names of a class that are no fields, and the first class that defines each, in the order of the source."""
    found: dict[str, type] = {}
    for owner in ours(cls):
        for name in vars(owner):
            hidden = name.startswith("_") and name != "__call__"
            if not hidden and name not in fields(cls) and not isinstance(vars(owner)[name], type):
                found.setdefault(name, owner)
    return found


def _kind(value: Any) -> str:
    if isinstance(value, (property, functools.cached_property)):
        return "property"
    return "method" if callable(value) or isinstance(value, (classmethod, staticmethod)) else "attribute"


def _doc(owner: type, name: str) -> str:
    value = vars(owner)[name]
    if _kind(value) == "attribute":
        return strings(owner).get(name, "")
    return inspect.cleandoc(getattr(value, "__doc__", None) or "")


def public_classes(found: list[Name]) -> frozenset[type]:
    """The classes among public names."""
    return frozenset(name.object for name in found if inspect.isclass(name.object))


class Target(NamedTuple):
    """Something that must be documented: its path, whether it is, and whether the inventory must have it."""

    path: str
    documented: bool
    indexed: bool = True


def targets(found: list[Name]) -> Iterator[Target]:
    """Public names, and the members and fields of those that are classes."""
    public, home = public_classes(found), homes(found)
    for name in found:
        yield Target(home[name.path], bool(doc_of(name)))
        if home[name.path] != name.path:
            continue
        if inspect.isclass(name.object):
            for member in members(name.object, public):
                yield Target(f"{name.path}.{member.name}", bool(member.doc), member.kind != "promise")
            missing = undocumented_fields(name.object)
            for field in fields(name.object):
                yield Target(f"{name.path}.{field}", field not in missing, indexed=False)


def summary(doc: str) -> str:
    """The first sentence of a docstring, on one line."""
    first = " ".join(doc.partition("\n\n")[0].split())
    ends = [m.start() for m in re.finditer(r"(?<!et al)(?<!e\.g)(?<!i\.e)\.(?= [A-Z`])", first)]
    return first[: ends[0] + 1] if ends else first


def wing(value: Any, package: str) -> str:
    """The docstring of the private package inside a public one that defines a value; empty if none does."""
    module = getattr(value, "__module__", "") or ""
    inner = module.removeprefix(f"{package}.").split(".")
    if not module.startswith(f"{package}.") or len(inner) < 2:
        return ""
    return inspect.cleandoc(sys.modules[f"{package}.{inner[0]}"].__doc__ or "")
