"""The commit of a Git repository, for results that say what made them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple


class Commit(NamedTuple):
    """A commit.

    Parameters:
        id: its hash, 40 hexadecimal digits.
        changed: whether files that Git tracks differ from it.
    """

    id: str
    changed: bool


def commit_of(folder: Path) -> Commit | None:
    """The commit of the repository that a folder is in; None if it is in none, or Git is not installed."""
    try:
        found = _git(folder, "rev-parse", "HEAD")
        return Commit(found, bool(_git(folder, "status", "--porcelain", "--untracked-files=no")))
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    # Without the option Git would write its index, and leave a lock behind where a disk is full.
    command = "git", "--no-optional-locks", *arguments
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
