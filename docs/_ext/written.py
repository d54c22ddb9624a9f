"""Folders of pages that are written before a build, and written again only where something has changed."""

from __future__ import annotations

from pathlib import Path


class Folder:
    """A folder in which only what is written now stays."""

    def __init__(self, path: Path):
        self.path = path
        self.kept: set[Path] = set()

    def write(self, name: str, text: str) -> None:
        """Write a file, unless it has this text already."""
        file = self.path / name
        self.kept.add(file)
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")

    def remove_others(self) -> None:
        """Remove the files that were written by earlier builds, and not by this one."""
        for file in self.path.rglob("*"):
            if file.is_file() and file not in self.kept:
                file.unlink()
