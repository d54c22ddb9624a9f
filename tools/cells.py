"""Lint the code cells of the site's pages with ruff: all cells of a page are one program.

    python tools/cells.py docs

The rules that pages are free of, such as docstrings, stand in pyproject.toml under "docs/". Lines are the program's.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import jupytext


def said(page: Path) -> str:
    """What ruff says of the cells of a page."""
    program = jupytext.writes(jupytext.read(str(page), fmt="md:myst"), fmt="py:percent")
    command = [
        "ruff",
        "check",
        "--quiet",
        "--output-format=concise",
        "--stdin-filename",
        str(page.with_suffix(".py")),
        "-",
    ]
    found = subprocess.run([sys.executable, "-m", *command], input=program, text=True, capture_output=True, check=False)
    return (found.stdout + found.stderr).strip()


def main(arguments: list[str]) -> int:
    """Report on all executed pages below a folder."""
    texts = {page: page.read_text(encoding="utf-8") for page in sorted(Path(arguments[0]).rglob("*.md"))}
    pages = [page for page, text in texts.items() if "file_format: mystnb" in text[:200] and "_build" not in page.parts]
    lines = [report for page in pages if (report := said(page))]
    print("\n".join(lines) or f"cells: nothing to say about {len(pages)} pages")
    return int(bool(lines) or not pages)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
