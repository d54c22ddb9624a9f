"""Signatures as users write them, and what docstrings say about the parameters in them."""

from __future__ import annotations

import ast
import dataclasses
import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import public
from sphinx.application import Sphinx

import surgrad

BASE = surgrad.Surrogate
OPTIONS = [field.name for field in dataclasses.fields(BASE)]
OPTIONS_ENTRY = f"**options: {', '.join(f'`{name}`' for name in OPTIONS[:-1])} and `{OPTIONS[-1]}`, as of `Surrogate`."
Signature = tuple[str | None, str | None] | None


def process(app: Sphinx, what: str, name: str, obj: Any, options: Any, sig: str | None, ret: str | None) -> Signature:
    """The signature that Sphinx shows for an object; None leaves it as it is."""
    if what not in ("class", "function", "method"):
        return None
    try:
        found = inspect.signature(obj)
    except (TypeError, ValueError):
        return None
    given = list(found.parameters.values())
    if what == "method" and given and given[0].name in ("self", "cls"):
        given = given[1:]
    of = obj if what == "class" else None
    written = list(shown(given, of))
    result = found.return_annotation
    if what == "class" or result is inspect.Signature.empty:
        return f"({', '.join(written)})", None
    return f"({', '.join(written)})", annotation(result)


def shown(given: list[inspect.Parameter], cls: type | None) -> Iterator[str]:
    """Parameters as text; the options that all surrogates have are one."""
    base = cls is not BASE
    own = [p for p in given if not (base and p.name in OPTIONS and p.kind is p.KEYWORD_ONLY)]
    names = {p.name for p in given}
    more = [n for n in public.entries(cls.__doc__, ("Parameters",)) if n not in names] if cls is not None else []
    keyword = positional_only = False
    for i, p in enumerate(own):
        if p.kind is p.VAR_POSITIONAL:
            keyword = True
        if p.kind is p.KEYWORD_ONLY and not keyword:
            keyword = True
            yield "*"
        yield text(p)
        last = i + 1 == len(own) or own[i + 1].kind is not p.POSITIONAL_ONLY
        if p.kind is p.POSITIONAL_ONLY and last and not positional_only:
            positional_only = True
            yield "/"
    for name in more:
        if not keyword:
            keyword = True
            yield "*"
        yield f"{name}=None"
    if len(own) < len(given):
        yield "**options"


def text(p: inspect.Parameter) -> str:
    """A parameter with its annotation and its default."""
    star = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
    noted = p.annotation is not inspect.Parameter.empty
    name = f"{star}{p.name}: {annotation(p.annotation)}" if noted else f"{star}{p.name}"
    if p.default is inspect.Parameter.empty:
        return name
    return f"{name} = {value(p.default)}" if noted else f"{name}={value(p.default)}"


def value(default: Any) -> str:
    """A default as code, `...` where it has no code."""
    if callable(default) and hasattr(default, "__name__"):
        name = default.__name__
        return name if name.isidentifier() else "..."
    try:
        ast.parse(repr(default), mode="eval")
    except SyntaxError:
        return "..."
    return repr(default)


def annotation(given: Any) -> str:
    """An annotation as it stands in the source, without quotes around it."""
    given = getattr(given, "__forward_arg__", given)
    written = given if isinstance(given, str) else inspect.formatannotation(given)
    try:
        inner = ast.literal_eval(written)
    except (ValueError, SyntaxError):
        inner = written
    return inner if isinstance(inner, str) else written


def parameters(obj: Any) -> list[str]:
    """The names of the parameters of an object; none where it takes none."""
    try:
        return list(inspect.signature(obj).parameters)
    except (TypeError, ValueError):
        return []


def with_options(cls: Any, lines: list[str]) -> list[str]:
    """The docstring of a surrogate, with an entry for the options that its signature sums up."""
    if cls is BASE or not issubclass(cls, BASE) or not set(OPTIONS) <= set(parameters(cls)):
        return lines
    ends = [i for i, line in enumerate(lines) if line == "Parameters:"]
    if not ends:
        return [*lines, "", "Parameters:", f"    {OPTIONS_ENTRY}", ""]
    end = next((i for i in range(ends[0] + 1, len(lines)) if not lines[i].startswith("    ")), len(lines))
    return [*lines[:end], f"    {OPTIONS_ENTRY}", *lines[end:]]


def of_functional(obj: Any, lines: list[str]) -> list[str]:
    """The docstring of a functional form without that of its class, which is on the same page."""
    classes = surgrad.catalogue().values()
    if inspect.isfunction(obj) and any(surgrad_name(cls) == obj.__name__ for cls in classes):
        return lines[: lines.index("")] if "" in lines else lines
    return lines


def surgrad_name(cls: type) -> str:
    """The name of the functional form of a class."""
    return surgrad._catalogue.snake_case(cls.__name__)


def aliases(module: ModuleType) -> dict[str, str]:
    """The code of the assignments of a module, by name; of those that depend on a condition, the last."""
    found = {}
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = ast.unparse(node.value)
    return found
