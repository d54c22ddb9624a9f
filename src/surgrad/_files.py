"""`save` and `load`: trees of surrogates, layers and numbers in one file."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import IO, Any

import jax
import numpy as np

from surgrad._differences import difference
from surgrad._named import named
from surgrad._pytree import Pytree
from surgrad._structure import Described, restored

_FORMAT, _STRUCTURE = 1, "structure.json"


def save(path: str | os.PathLike[str], tree: Any) -> None:
    """Write a tree to one file, from which `load` restores an equal one.

    A tree consists of surrogates, cells, connections and networks, numbers, arrays of all dtypes (bfloat16 and typed
    PRNG keys too), strings and `None`, in lists, tuples, named tuples (states of optimisers) and dictionaries.
    Functions and classes are written by name, `module:qualname`. The file is a zip archive of `structure.json` and of
    arrays in NumPy's format; nothing is pickled. An interrupted call leaves an older file as it was.

        >>> import surgrad, tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "spike.surgrad"
        >>> surgrad.save(path, {"spike": surgrad.Sigmoid(4.0), "epoch": 3})
        >>> surgrad.load(path)
        {'spike': Sigmoid(alpha=4.0), 'epoch': 3}

    Parameters:
        path: path of the file; an existing file is replaced.
        tree: the tree.

    Raises:
        TypeError: something that a file cannot hold, such as a lambda, a traced number, or a module of a framework; the
            message names its place in the tree.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(
            f"save: the arguments are save(path, tree), in this order, got {type(path).__name__} for the path."
        )
    described = Described(tree)
    head = {
        "format": _FORMAT,
        "surgrad": import_module(__name__.partition(".")[0]).__version__,
        "jax": jax.__version__,
        "arrays": len(described.arrays),
        "tree": described.structure,
    }
    pack(Path(path), json.dumps(head, allow_nan=False, indent=1), described.arrays)


def load(path: str | os.PathLike[str], like: Any = None, *, classes: Iterable[type] = ()) -> Any:
    """Return the tree that `save` wrote to a file. No constructor runs, and only modules of this library are imported.

        >>> import surgrad, tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "spike.surgrad"
        >>> surgrad.save(path, surgrad.Sigmoid(4.0))
        >>> surgrad.load(path, like=surgrad.Sigmoid(1.0))
        Sigmoid(alpha=4.0)

    Parameters:
        path: path of the file.
        like: a tree with the classes, structure, shapes and dtypes that the file must have. Values of leaves are free.
        classes: the user's own classes, derived from `Surrogate` or from parts of `surgrad.nn`, that are in the file
            and not in `like`.

    Raises:
        FileNotFoundError: there is no such file.
        KeyError: a class or a function is not known; the message says what to pass or import.
        ValueError: the file was not written by `save`, is damaged, is of a newer format, or differs from `like`, as in
            `parts[0].weight: shape (4, 3) in the file, (4, 5) here`.
    """
    with _opened(path) as archive:
        head = _head(archive, path)
        known = named([*_classes(like), *classes])
        if like is not None and (found := difference(head["tree"], Described(like).structure)):
            raise ValueError(f"load: {os.fspath(path)} differs from `like`; {found}.")
        return restored(head["tree"], lambda place: _array(archive, place), known)


def pack(path: Path, head: str, arrays: Iterable[np.ndarray]) -> None:
    """Write the archive of `save`: a head, which is JSON and has the number of arrays, and these, with checksums."""
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr(_STRUCTURE, head)
        for place, array in enumerate(arrays):
            with archive.open(_entry(place), "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)


def unpack(path: Path) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Return the head and the arrays that `pack` wrote. A damaged file raises an error of `zipfile`, JSON or NumPy."""
    with zipfile.ZipFile(path) as archive:
        head = json.loads(archive.read(_STRUCTURE))
        return head, [_array(archive, place) for place in range(head["arrays"])]


def require_file(path: Path) -> None:
    """Check that there is a file at a path.

    Raises:
        FileNotFoundError: there is none.
    """
    if not path.exists():
        advice = "give the path of one" if path.is_absolute() else f"the path counts from the folder {Path.cwd()}"
        raise FileNotFoundError(f"there is no file {path}; {advice}.")


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a new file that replaces the one at a path once it is complete, and is deleted if it never is."""
    new = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with new.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except zipfile.BadZipFile as error:
        raise ValueError(f"load: {os.fspath(path)} is damaged, or was not written by surgrad.save: {error}.") from error


def _head(archive: zipfile.ZipFile, path: str | os.PathLike[str]) -> dict[str, Any]:
    if _STRUCTURE not in archive.namelist():
        raise ValueError(f"load: {os.fspath(path)} was not written by surgrad.save: it has no {_STRUCTURE}.")
    head = json.loads(archive.read(_STRUCTURE))
    if head["format"] > _FORMAT:
        raise ValueError(
            f"load: {os.fspath(path)} is of format {head['format']}, written by surgrad {head['surgrad']}; "
            f"this version reads format {_FORMAT}: install a newer one."
        )
    return head


def _array(archive: zipfile.ZipFile, place: int) -> np.ndarray:
    with archive.open(_entry(place)) as entry:
        return np.lib.format.read_array(entry, allow_pickle=False)


def _entry(place: int) -> str:
    return f"arrays/{place}.npy"


def _classes(tree: Any) -> list[type]:
    """Return the classes of all objects in a tree."""
    found: list[type] = []
    for node in jax.tree.leaves(tree, is_leaf=lambda node: isinstance(node, Pytree)):
        if isinstance(node, Pytree):
            found += [type(node), *_classes(list(node._attributes().values()))]
    return found
