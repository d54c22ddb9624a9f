"""Files from the network, verified by their published checksums, and unpacked: complete, or not there at all."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import shutil
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from surgrad._files import replacing

_CHUNK = 1 << 20


def download(url: str, path: Path, md5: str) -> None:
    """Write what a URL gives to a path, once its MD5 checksum is the published one.

    Raises:
        OSError: the network or the server fails; the message says how to get the file otherwise.
        ValueError: the checksum is another.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    found = hashlib.md5(usedforsecurity=False)
    with replacing(path) as file:
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                while part := answer.read(_CHUNK):
                    found.update(part)
                    file.write(part)
        except (OSError, http.client.HTTPException) as broken:
            raise OSError(
                f"{url} cannot be downloaded ({broken}). Get the file in another way, and put it into {path.parent}."
            ) from broken
        if found.hexdigest() != md5:
            raise ValueError(
                f"{url}: the MD5 checksum should be {md5}, and is {found.hexdigest()}; nothing was kept. It may have "
                f"been cut off, or is another version."
            )


def unpacked(path: Path) -> Path:
    """A file, unpacked from its archive `.gz` or `.zip` beside it if it is not there yet.

    Raises:
        FileNotFoundError: there is neither the file nor an archive.
        ValueError: the archive is broken.
    """
    if path.exists():
        return path
    for ending in (".gz", ".zip"):
        archive = path.with_name(path.name + ending)
        if archive.exists():
            try:
                with _zipped(archive, path.name) as source, replacing(path) as file:
                    shutil.copyfileobj(source, file, _CHUNK)
            except (gzip.BadGzipFile, zipfile.BadZipFile, EOFError, zlib.error, KeyError) as broken:
                raise ValueError(f"{archive}: cannot be unpacked ({broken}); it may be cut off.") from broken
            return path
    raise FileNotFoundError(f"there is no {path.name}, with or without .gz or .zip, in {path.parent}.")


@contextmanager
def _zipped(archive: Path, name: str) -> Iterator[Any]:
    """Open a file in an archive, `.gz` or `.zip`."""
    if archive.suffix == ".gz":
        with gzip.open(archive) as content:
            yield content
    else:
        with zipfile.ZipFile(archive) as archived, archived.open(name) as content:
            yield content
