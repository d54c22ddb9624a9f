"""The reference of the library: a page for each public name and each package, written from the code before each build.

Names that differ in case and underscores alone share a page, as `Sigmoid` and its functional form `sigmoid` do. The
build fails if a public name has no documentation, or no place in the inventory.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import public
import signatures
import surrogate_pages
from docstrings import prepared
from public import Name
from sphinx.application import Sphinx
from sphinx.util import logging
from written import Folder

FOLDER = "reference/api"
logger = logging.getLogger(__name__)


def write(app: Sphinx) -> None:
    """Write all pages, and tell how names are found in docstrings."""
    folder = Folder(Path(app.srcdir, FOLDER))
    surrogate_pages.prepare(app)
    found = public.everything()
    app.surgrad_names = names = Names(found)  # type: ignore[attr-defined]
    pages = {package: paged(public.names(package)) for package in public.packages()}
    folder.write("index.rst", "\n".join(index(list(pages))))
    folder.write("types.rst", "\n".join(types(names)))
    for package, groups in pages.items():
        folder.write(f"{package}.rst", "\n".join(package_page(package, groups, names)))
        for group in groups:
            if names.at_home(group):
                folder.write(f"{page_name(group)}.rst", "\n".join(name_page(group, names)))
    folder.remove_others()


class Names:
    """All public names, and where the docstrings that mention them mean to point to."""

    def __init__(self, found: list[Name]):
        self.classes = public.public_classes(found)
        self.paths = {name.path: name.object for name in found}
        self.packages = set(public.packages())
        self.homes = public.homes(found)

    def path(self, text: str, package: str, cls: str = "") -> str | None:
        """The path of a name as it is written in a docstring of a package, or of a class in it."""
        text = text.removesuffix("()")
        for place in (f"{package}.{cls}.{text}", f"{package}.{text}", f"{public.ROOT}.{text}", text):
            if self.has(place):
                return self.homes.get(place, place)
        elsewhere = [path for path in self.paths if path.endswith(f".{text}")]
        return elsewhere[0] if len(elsewhere) == 1 and text[0].isupper() else None

    def has(self, path: str) -> bool:
        """Whether there is a public name, a member of one, or a package of a path."""
        if path in self.paths or path in self.packages:
            return True
        owner, _, name = path.rpartition(".")
        cls = self.paths.get(owner)
        return inspect.isclass(cls) and any(m.name == name for m in self.members(cls) if m.kind != "promise")

    def at_home(self, group: list[Name]) -> bool:
        """Whether names are documented in this package, and not in another one that has them too."""
        return self.homes[group[0].path] == group[0].path

    def members(self, cls: type) -> list[public.Member]:
        """The members of a class that its page shows."""
        return public.members(cls, self.classes)


def key(name: str) -> str:
    return name.replace("_", "").lower()


def paged(names: list[Name]) -> list[list[Name]]:
    """Names of a package, those together that share a page; classes come first."""
    found: dict[str, list[Name]] = {}
    for name in names:
        found.setdefault(key(name.name), []).append(name)
    return [sorted(group, key=lambda n: not inspect.isclass(n.object)) for group in found.values()]


def page_name(group: list[Name]) -> str:
    return group[0].path


def heading(text: str, mark: str = "=") -> list[str]:
    return [text, mark * len(text), ""]


def index(packages: list[str]) -> list[str]:
    """The page of all packages."""
    lines = [*heading("API"), "The public packages; the pages are made from the docstrings.", ""]
    rows = [(f":py:mod:`{p}`", public.summary(importlib.import_module(p).__doc__ or "")) for p in packages]
    return [*lines, *table(rows), ".. toctree::", "   :hidden:", "", *(f"   {p}" for p in packages), "   types", ""]


def table(rows: list[tuple[str, str]]) -> list[str]:
    """A table of two columns: names, and what they are."""
    lines = [".. list-table::", "   :widths: 30 70", "   :class: names", ""]
    for name, text in rows:
        lines += [f"   * - {name}", f"     - {' '.join(prepared([text]))}"]
    return [*lines, ""]


def package_page(package: str, groups: list[list[Name]], names: Names) -> list[str]:
    """The page of a package: its docstring, and a table for each kind of names."""
    lines = [*heading(package), f".. py:module:: {package}", ""]
    doc = inspect.cleandoc(importlib.import_module(package).__doc__ or "").splitlines()
    lines += [*prepared(doc, lambda text: names.path(text, package)), ""]
    kinds: dict[str, dict[str, list[list[Name]]]] = {}
    for group in sorted(groups, key=lambda g: order(g[0], names)):
        kind, part = kind_of(group[0], names)
        kinds.setdefault(kind, {}).setdefault(part, []).append(group)
    for kind, parts in kinds.items():
        lines += heading(kind, "-") if len(groups) > 3 else []
        alone = [group for part in parts.values() if len(part) == 1 or len(parts) == 1 for group in part]
        lines += table([row(group, names) for group in alone]) if alone else []
        for part, members in parts.items():
            if len(members) > 1 and len(parts) > 1:
                lines += [*prepared([part]), "", *table([row(group, names) for group in members])]
    return [*lines, ".. toctree::", "   :hidden:", "", *(f"   {page_name(g)}" for g in groups if names.at_home(g)), ""]


def row(group: list[Name], names: Names) -> tuple[str, str]:
    links = ", ".join(f":py:obj:`{n.name} <{names.homes[n.path]}>`" for n in group)
    return links, public.summary(public.doc_of(group[0]))


def order(name: Name, names: Names) -> tuple[Any, ...]:
    """Kinds with most names first, in them the modules together, in these as `__all__` has them."""
    rank = ("Functions", "Values", "Warnings").index(kind) if (kind := kind_of(name, names)[0]) in LAST else -1
    derived = issubclass_of(name.object, names)
    return rank, kind, derived, getattr(name.object, "__module__", "")


LAST = ("Functions", "Values", "Warnings")


def kind_of(name: Name, names: Names) -> tuple[str, str]:
    """The kind of a name and a part of the kind: from the package that defines it, its base class and its module."""
    module = importlib.import_module(getattr(name.object, "__module__", name.package))
    part = public.summary(inspect.cleandoc(module.__doc__ or ""))
    if (inner := public.wing(name.object, name.package)) and not issubclass_of(name.object, names):
        return inner.partition(":")[0].strip("`."), _kind(name, names)
    return _kind(name, names), part


def issubclass_of(value: Any, names: Names) -> bool:
    return inspect.isclass(value) and any(base in names.classes for base in value.__mro__[1:])


def _kind(name: Name, names: Names) -> str:
    """Functions, warnings, values, or the plural of the public class that a class derives from or is the base of."""
    if not inspect.isclass(name.object):
        return "Functions" if inspect.isroutine(name.object) else "Values"
    if issubclass(name.object, Warning):
        return "Warnings"
    base = next((b for b in name.object.__mro__[1:] if b in names.classes), None)
    if base is None and any(name.object in c.__mro__[1:] for c in names.classes):
        base = name.object
    if base is None:
        return "Results and data"
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", base.__name__).capitalize()
    return f"{words}s"


def name_page(group: list[Name], names: Names) -> list[str]:
    """The page of one name, or of a few that belong together."""
    shown = group[:1] if surrogate_pages.is_surrogate(group[0].object) else group
    lines = [*heading(", ".join(name.name for name in shown)), f".. py:currentmodule:: {group[0].package}", ""]
    for name in group:
        lines += entry(name, names)
        if surrogate_pages.is_surrogate(name.object):
            lines += surrogate_pages.section(name.object)
    return lines


def entry(name: Name, names: Names) -> list[str]:
    """The directives of one name."""
    if inspect.isclass(name.object):
        kind = "exception" if issubclass(name.object, BaseException) else "class"
        return [f".. auto{kind}:: {name.path}", "", *class_body(name, names)]
    if inspect.isroutine(name.object):
        return [f".. autofunction:: {name.path}", ""]
    doc = prepared(public.doc_of(name).splitlines(), lambda text: names.path(text, name.package))
    annotation = type(name.object).__name__
    return [f".. py:data:: {name.name}", f"   :type: {annotation}", "", *(f"   {line}" for line in doc), ""]


def class_body(name: Name, names: Names) -> list[str]:
    """Base class and promises of a class, then its members."""
    cls, lines = name.object, []
    base = next((b for b in cls.__mro__[1:] if b in names.classes and names.members(b)), None)
    if base is not None:
        path = next(path for path, value in names.paths.items() if value is base)
        lines += [f"A :py:class:`{base.__name__} <{path}>`, which documents the methods that all of them have.", ""]
    members = names.members(cls)
    kept = [m.name for m in members if m.kind == "promise" and getattr(cls, m.name)]
    if kept:
        lines += [f"Promises: {', '.join(f'``{one}``' for one in kept)}.", ""]
    for member in members:
        if member.kind != "promise":
            lines += [f".. auto{member.kind}:: {name.path}.{member.name}", ""]
    return [*(f"   {line}".rstrip() for line in lines), *contract(name, names)]


def contract(name: Name, names: Names) -> list[str]:
    """The docstring of the module of a class that others derive from, where it has more than one paragraph."""
    module = importlib.import_module(name.object.__module__)
    doc = inspect.cleandoc(module.__doc__ or "").splitlines()
    derived = any(name.object in c.__mro__[1:] for c in names.classes)
    if not derived or issubclass_of(name.object, names) or len(doc) < 2:
        return []
    head = doc[0].partition(":")[0].rstrip(".")
    return ["", *heading(head, "-"), *prepared(doc, lambda text: names.path(text, name.package)), ""]


def types(names: Names) -> list[str]:
    """The page of the names of types that signatures have, from the strings below them."""
    module = importlib.import_module(f"{public.ROOT}._types")
    lines = [*heading("Types in signatures")]
    lines += [*prepared(inspect.cleandoc(module.__doc__ or "").splitlines()[2:]), ""]
    source = signatures.aliases(module)
    for name, doc in public.strings(module).items():
        lines += [f".. py:type:: {name}", *([f"   :canonical: {source[name]}"] if name in source else []), ""]
        lines += [*(f"   {line}" for line in prepared(doc.splitlines())), ""]
    return lines


def docstring(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Prepare a docstring before Napoleon reads its sections."""
    names: Names = app.surgrad_names  # type: ignore[attr-defined]
    package = max((p for p in names.packages if name.startswith(f"{p}.")), key=len)
    cls = name.removeprefix(f"{package}.").partition(".")[0]
    text = signatures.with_options(obj, lines) if what == "class" else signatures.of_functional(obj, lines)
    own = {*public.entries("\n".join(text)), *signatures.parameters(obj)}

    def resolve(text: str) -> str | None:
        path = None if text in own else names.path(text, package, cls)
        return None if path == name else path

    lines[:] = prepared(text, resolve)


def cover(app: Sphinx, env: Any) -> Iterator[str]:
    """Warn of public names that have no documentation or no place in the inventory, and print how many there are."""
    inventory = env.domains.python_domain.objects
    found = list(public.targets(public.everything()))
    good = 0
    for target in found:
        if not target.documented:
            logger.warning("%s has no documentation", target.path, type="api")
        elif target.indexed and target.path not in inventory:
            logger.warning("%s is documented on no page", target.path, type="api")
        else:
            good += 1
    names = len(public.everything())
    logger.info("public names: %d, with their members and fields: %d, documented: %d", names, len(found), good)
    return iter(())


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("builder-inited", write)
    app.connect("autodoc-process-docstring", docstring, priority=400)
    app.connect("autodoc-process-signature", signatures.process)
    app.connect("env-check-consistency", lambda app, env: list(cover(app, env)) and None)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
