"""Messages for names that do not exist: what users of neighbouring libraries mean, else the nearest names.

How packages and functions use it:

- A package answers for its missing names with a module-level `__getattr__`:

      def __getattr__(name):
          raise attribute_error(__name__, name, __all__)

- Objects derived from `Pytree` answer for missing attributes and for unexpected keywords of their constructors.
- A function answers for unexpected keywords when it is decorated with `@answers_keywords`. It and those constructors
  accept the few that are `SYNONYMS` of one of their own. Only a call with an unexpected keyword looks them up.
- Whoever looks something up by name appends `nearest_names(name, known)` or, where surrogates of other libraries can
  be meant, `surrogate_answer(name)`.

The answers are in `_neighbours`. The names of this library are read from the source of its packages, so that none of
them is imported for the sake of a message.
"""

from __future__ import annotations

import ast
import difflib
import functools
import inspect
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from surgrad._neighbours import (
    ABSENT,
    ATTRIBUTES,
    CHOICES,
    COMPLETE,
    KEYWORDS,
    NAMES,
    SYNONYMS,
)
from surgrad._peers import rows_named, squashed

F = TypeVar("F", bound=Callable[..., Any])
_ROOT = __package__


def nearest_names(name: str, known: Iterable[str], n: int = 3, cutoff: float | None = None) -> list[str]:
    """Return up to `n` known names that are spelled like a name, the nearest first; case is ignored if none is.

    A known name that is one word of several in the name is not near: `Layer` is not what `LayerNorm` means.

    Parameters:
        name: what was written.
        known: the names that there are.
        n: how many are returned at most.
        cutoff: the least similarity, 0 to 1, as of `difflib`; by the length of the name if left out, since one wrong
            letter is more of a short name.
    """
    cutoff = cutoff or (0.75 if len(name) > 3 else 0.6)
    known = [one for one in known if len(name) < len(one) + 3 or one.lower() not in name.lower()]
    by_lower = {one.lower(): one for one in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=n, cutoff=cutoff)
    return difflib.get_close_matches(name, known, n=n, cutoff=cutoff) or [by_lower[one] for one in near]


def attribute_error(module: str, name: str, known: Iterable[str]) -> AttributeError:
    """Return the error for a name that a module does not have.

    Parameters:
        module: the module's `__name__`.
        name: what was asked for.
        known: the public names of the module.
    """
    text = f"module {module!r} has no attribute {name!r}"
    if not name.startswith("_"):
        text += _sentence(_module_answer(name, known))
    # Python would add the nearest name of the module by itself, `sigmoid` for `fast_sigmoid`.
    return AttributeError(text, name=name, obj=None)


def neighbour_answer(name: str) -> str:
    """Return what stands here for a name of another library, with its package; empty if the table has none."""
    return _with_places(NAMES.get(squashed(name), ""))


def surrogate_answer(name: str, parameter: str | None = None) -> str:
    """Return what a surrogate of another library is called here; empty if none has this name, or this parameter."""
    owners: dict[tuple[str, str], list[str]] = {}
    for row in rows_named(name):
        if parameter is None or parameter in row.parameters:
            whose = f"{row.library.name} (which {row.note})" if row.note else row.library.name
            owners.setdefault((name + row.call.removeprefix(row.name), row.here), []).append(whose)
    return "; ".join(f"{call} of {_listed(whose)} is {here} here" for (call, here), whose in owners.items())


def _listed(names: list[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def choice_answer(option: str, value: Any) -> str:
    """Return which choice of an option is meant by the value that other libraries have for it; empty if unknown."""
    rows = CHOICES.get(option)
    return _with_places(rows.get(squashed(str(value)), "")) if rows else ""


def unexpected_keyword(owner: str | type, name: str, known: Iterable[str], listed: str | None = None) -> TypeError:
    """Return the error for a keyword that a function or a constructor does not take.

    Parameters:
        owner: name of the function, or the class.
        name: the keyword.
        known: the parameters that there are.
        listed: how the message lists them; by name if left out.
    """
    known = list(known)
    listed = listed or f"it has {', '.join(map(repr, known)) or 'none'}"
    forgotten = "" if isinstance(owner, str) else _without_annotation(owner, name)
    owner = owner if isinstance(owner, str) else owner.__name__
    of_owner = _renamed(KEYWORDS, f"{owner}.{name}", known)
    answer = forgotten or surrogate_answer(owner, name) or of_owner or parameter_answer(name, known)
    return TypeError("; ".join(part for part in (f"{owner} has no parameter {name!r}", listed, answer) if part) + ".")


def _without_annotation(cls: type, name: str) -> str:
    """Return what to write where a class sets an attribute of that name without the annotation of a parameter."""
    value = next((vars(base)[name] for base in cls.__mro__ if name in vars(base)), None)
    if not isinstance(value, (int, float)):
        return ""
    return f"an attribute of the class becomes a parameter by an annotation, {name}: {type(value).__name__} = {value!r}"


def parameter_answer(name: str, known: Iterable[str]) -> str:
    """Return which of the known parameters is meant by the name of one; empty if none seems to be."""
    return _renamed(KEYWORDS, name, known) or _spelled(name, known)


def in_our_names(owner: str, given: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Return keyword arguments with the parameters that are meant in place of others' names for them.

    Names that are known stay, and so do those of surrogates of other libraries, whose values may be on another scale.
    """
    named = {}
    for name, value in given.items():
        rescaled = any(name in row.parameters and row.here != f"{owner}({name})" for row in rows_named(owner))
        meant = KEYWORDS.get(squashed(name), ((), ""))[0] if name not in known and not rescaled else ()
        named[next((one for one in meant if one in known), name)] = value
    return named


def meant_by(name: str, known: Collection[str]) -> str:
    """Return the known parameter that a name is a synonym of; the name itself if it is of none."""
    meant = SYNONYMS.get(squashed(name), name)
    return meant if meant in known and name not in known else name


class MissingAttributeError(AttributeError):
    """An object has no such attribute. The message is composed when it is read, since most are caught unread."""

    def __init__(self, owner: Any, name: str) -> None:
        super().__init__(owner, name, name=name, obj=None)

    def __str__(self) -> str:
        owner, name = self.args
        known = [one for one in dir(owner) if not one.startswith("_")]
        answer = "" if name.startswith("_") else _renamed(ATTRIBUTES, name, known) or _spelled(name, known)
        return f"{type(owner).__name__!r} object has no attribute {name!r}{_sentence(answer)}"


def missing_attribute(owner: Any, name: str) -> NoReturn:
    """The `__getattr__` of named tuples, whose error names the attribute that was meant."""
    raise MissingAttributeError(owner, name)


def answers_keywords(function: F) -> F:
    """Decorate a function to accept synonyms of its keywords, with errors for others that name the right one."""
    return _answering(function, function.__qualname__.rpartition(".<locals>.")[2])


def constructor_that_answers(init: F) -> F:
    """Decorate the constructor `init` as `answers_keywords` does; in errors the owner is the class that was called.

    A decorator around it that takes further keywords names them in its attribute `further_keywords`.
    """
    return _answering(init, None)


def _answering(function: Any, owner: str | None) -> Any:
    parameters = inspect.signature(function).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return function
    names = frozenset(parameters)
    many = any(p.kind is p.VAR_POSITIONAL for p in parameters.values())
    most = math.inf if many else sum(p.kind is not p.KEYWORD_ONLY for p in parameters.values())
    # What a decorator of the function also takes in front of its arguments, as `takes_key` takes a key.
    may_lead, place = getattr(function, "may_lead", lambda _: False), int("self" in parameters)

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if not kwargs.keys() <= names:
            further = () if owner else getattr(type(args[0]).__init__, "further_keywords", ())
            known = [*(one for one in parameters if one != "self"), *further]
            kwargs = _with_our_names(owner or type(args[0]), kwargs, known)
        if len(args) > most and not (len(args) == most + 1 and may_lead(args[place])):
            raise TypeError(_by_name_only(owner or type(args[0]).__name__, parameters, len(args)))
        return function(*args, **kwargs)

    return wrapped


def _by_name_only(owner: str, parameters: Mapping[str, inspect.Parameter], given: int) -> str:
    """Return the message for too many arguments by position, with those that are given by name."""
    own = [p for p in parameters.values() if p.name != "self"]
    placed = [p.name for p in own if p.kind is not p.KEYWORD_ONLY]
    named = [f"{p.name}=..." for p in own if p.kind is p.KEYWORD_ONLY]
    end = f"; by name {', '.join(named)}" if named else ""
    return f"{owner} takes ({', '.join(placed)}) by position, got {given - ('self' in parameters)} arguments{end}."


def _with_our_names(owner: str | type, given: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Return keyword arguments with the names of this library in place of synonyms.

    Raises:
        TypeError: a keyword is neither known nor a synonym, or it is the second name of the same parameter.
    """
    named: dict[str, Any] = {}
    for name, value in given.items():
        meant = meant_by(name, known)
        if meant not in known:
            raise unexpected_keyword(owner, name, known)
        if meant in named or (meant != name and meant in given):
            called = owner if isinstance(owner, str) else owner.__name__
            raise TypeError(f"{called}: {name!r} is another name for {meant!r}; give only one of the two.")
        named[meant] = value
    return named


def _sentence(answer: str) -> str:
    return f"; {answer}." if answer else ""


def _module_answer(name: str, known: Iterable[str]) -> str:
    """Return what is meant by a name: that of another library, one in another package here, or the nearest."""
    key = squashed(name)
    if key in ABSENT:
        return f"surgrad has none: {_with_places(ABSENT[key])}"
    meant = f"here it is {_with_places(NAMES[key])}" if key in NAMES else ""
    # A function of a package, such as `plot.surrogate`, is not what a module of that name means.
    exact = not (meant and name.islower())
    places = [place for place in _places() if exact and place.rpartition(".")[2] == name]
    # Surrogates of the same name elsewhere have rows in the table only where they differ from the one here.
    others = "" if places else surrogate_answer(name)
    places = places or [place for place in _places() if not meant and squashed(place.rpartition(".")[2]) == key]
    ours = f"it is {' or '.join(places)}" if places else ""
    public = (one for one in known if not one.startswith("_"))
    return "; ".join(part for part in (ours, meant, others) if part) or _spelled(name, public)


def _renamed(rows: Mapping[str, tuple[tuple[str, ...], str]], name: str, known: Iterable[str]) -> str:
    candidates, text = rows.get(squashed(name), ((), ""))
    found = next((f"{name!r} is {one!r} here" for one in candidates if one in known), "")
    if candidates and not found and text not in COMPLETE:
        return ""
    return ": ".join(part for part in (found, _with_places(text)) if part)


def _spelled(name: str, known: Iterable[str]) -> str:
    near = nearest_names(name, known)
    return f"the nearest {'is' if len(near) == 1 else 'are'} {', '.join(near)}" if near else ""


def _with_places(text: str) -> str:
    """Return a text with each `{Name}` replaced by the name and its package."""
    return re.sub(r"\{(\w+)\}", lambda found: place_of(found[1]), text)


def place_of(name: str) -> str:
    """Return a public name with its package, `surgrad.nn.LIF` for `LIF`; the name itself if it is not public."""
    return next((place for place in _places() if place.rpartition(".")[2] == name), name)


@functools.cache
def _places() -> tuple[str, ...]:
    """Return all public names with their packages: those of `surgrad`, of `surgrad.nn`, then of the others."""
    root = Path(__file__).parent
    others = sorted(p for p in root.iterdir() if not p.name.startswith("_") and p.name not in ("nn", "cli"))
    found: list[str] = []
    for source in (root, root / "nn", *others):
        file = source if source.suffix == ".py" else source / "__init__.py"
        if file.is_file():
            package = _ROOT if source is root else f"{_ROOT}.{source.stem}"
            names = _public_names(ast.parse(file.read_text("utf-8")), file.name == "__init__.py")
            found += [f"{package}.{name}" for name in names]
    return tuple(found)


def _public_names(module: ast.Module, is_package: bool) -> list[str]:
    """Return the names in `__all__`, or else those that are defined or imported from inside the library."""
    defined: list[str] = []
    for node in module.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return list(ast.literal_eval(node.value))
        if is_package and isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{_ROOT}."):
            defined += [alias.asname or alias.name for alias in node.names]
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            defined.append(node.name)
    return [name for name in defined if not name.startswith("_")]
