"""BibTeX of the publications behind the surrogates that a program uses."""

from __future__ import annotations

import functools
import re
import types
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

import jax
import numpy as np

from surgrad._surrogate import Surrogate
from surgrad.forward import Mode

_NUMBERS = (int, float, complex, np.generic, np.ndarray, jax.Array)
_CLOSED = (*_NUMBERS, str, bytes, type(None), types.FunctionType, types.MethodType, types.ModuleType)


def cite(tree: Any) -> str:
    """Return the BibTeX entries of all surrogates and forward modes in a tree, each once, in the order of first use.

    They are found in combinators, cells, networks, lists, dictionaries and static fields, but not in the closures
    of functions. If there are none, the text is empty. To cite
    surgrad itself, take CITATION.cff at the root of its repository.

    A class of your own names its sources in `references`: keys of this library's bibliography, or whole entries.

        >>> import surgrad
        >>> print(surgrad.cite(surgrad.SlayerGrad()))
        @inproceedings{shrestha2018slayer,
          title     = {{SLAYER}: Spike Layer Error Reassignment in Time},
          author    = {Shrestha, Sumit Bam and Orchard, Garrick},
          booktitle = {Advances in Neural Information Processing Systems},
          volume    = {31},
          pages     = {1412--1421},
          year      = {2018},
        }

    Parameters:
        tree: a surrogate, a class of surrogates, or a pytree (or another object) that holds some.

    Raises:
        TypeError: the tree is neither a pytree nor holds a surrogate.
        KeyError: a class names a key that the bibliography does not have.
    """
    kinds = list(dict.fromkeys(_kinds(tree, set())))
    if not kinds and not isinstance(tree, _NUMBERS) and jax.tree_util.all_leaves([tree]):
        raise TypeError(f"cite: expected a surrogate, its class, or a pytree of those, got {tree!r}.")
    entries = [_entry(kind, reference) for kind in kinds for reference in kind.references]
    return "\n\n".join(dict.fromkeys(entries))


@functools.cache
def bibliography() -> Mapping[str, str]:
    """Return the entries of this library's bibliography, by key."""
    text = resources.files("surgrad").joinpath("references.bib").read_text("utf-8")
    entries = [entry.strip() for entry in re.split(r"^(?=@)", text, flags=re.MULTILINE) if entry.strip()]
    return types.MappingProxyType({re.match(r"@\w+\{([^,\s]+),", entry)[1]: entry for entry in entries})  # type: ignore[index]


def _entry(kind: type[Surrogate | Mode], reference: str) -> str:
    if reference.lstrip().startswith("@"):
        return reference.strip()
    if reference not in bibliography():
        raise KeyError(
            f"{kind.__name__}.references names {reference!r}, which is not in the bibliography; "
            f"give the BibTeX entry itself, '@article{{...}}'."
        )
    return bibliography()[reference]


def _kinds(node: Any, seen: set[int]) -> Iterator[type[Surrogate | Mode]]:
    """Yield the classes of the surrogates and forward modes in a tree, depth first, the whole before its parts."""
    if isinstance(node, type):
        if issubclass(node, (Surrogate, Mode)):
            yield node
        return
    if isinstance(node, _CLOSED) or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, (Surrogate, Mode)):
        yield type(node)
    for part in _parts(node):
        yield from _kinds(part, seen)


def _parts(node: Any) -> list[Any]:
    """Return the children of a node: its attributes, including static ones, then its leaves in JAX."""
    if isinstance(node, Mapping):
        return list(node.values())
    children = jax.tree.leaves(node, is_leaf=lambda child: child is not node)
    return [*getattr(node, "__dict__", {}).values(), *(child for child in children if child is not node)]
