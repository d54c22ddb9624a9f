"""Pages of what the repository has committed beside the documentation: results with their pictures, and its own pages.

Results are found by their place: `examples/*/results/README.md`, `benchmarks/*.md`, `benchmarks/*/results/README.md`,
`benchmarks/results/README.md`, `recipes/README.md`.
Links between them, and to pages of the site, stay inside the site; those to other files lead to the repository.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from written import Folder

ROOT = Path(__file__).resolve().parent.parent.parent
REPOSITORY = "https://github.com/surgrad/surgrad/blob/main"
FOLDER = "reference/measurements"
SUFFIX = ".markdown"
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!\w+:|#)([^)#\s]+)(#[^)]*)?\)")
HEAD = (
    "# Measurements\n\nSpeed, precision and training as they were measured, with the programs that measured them.\n\n"
)
INDEX = "\n".join(["```{toctree}", ":glob:", ":maxdepth: 1", "", "*", "```", ""])


def sources() -> dict[str, Path]:
    """The files that become pages, by the name of the page below `reference`."""
    found = {f"measurements/{file.parent.parent.name}": file for file in ROOT.glob("*/*/results/README.md")}
    found["measurements/beside-peers"] = ROOT / "benchmarks" / "results" / "README.md"
    found["measurements/recipes"] = ROOT / "recipes" / "README.md"
    for file in ROOT.glob("benchmarks/*.md"):
        found[f"measurements/{'benchmarks' if file.stem == 'README' else file.stem}"] = file
    return found | {name.lower(): ROOT / f"{name}.md" for name in ("CHANGELOG", "CONTRIBUTING")}


def rewritten(text: str, source: Path, page: str, pages: dict[Path, str], pictures: Path) -> str:
    """The text of a page with its links as they must be in the site; pictures are copied."""
    up = "../" * page.count("/")

    def link(found: re.Match[str]) -> str:
        mark, words, target, anchor = found[1], found[2], found[3], found[4] or ""
        file = (source.parent / target).resolve()
        if mark:
            name = f"{page.rpartition('/')[2]}-{file.name}"
            pictures.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, pictures / name)
            return f"![{words}]({up}measurements/{name})"
        if file in pages:
            return f"[{words}]({up}{pages[file]}{SUFFIX})"
        if not file.exists():
            return words
        if file.is_relative_to(ROOT / "docs") and file.suffix == ".md":
            return f"[{words}]({up}../{file.relative_to(ROOT / 'docs').as_posix()}{anchor})"
        return f"[{words}]({REPOSITORY}/{file.relative_to(ROOT).as_posix()}{anchor})"

    return LINK.sub(link, text)


def peers() -> str:
    """The table beside peers, which the README has."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = re.search(r"<!-- peers -->\n(.*?)<!-- /peers -->", text, re.DOTALL)
    return f"\n## Beside its peers\n\n{table[1]}" if table else ""


def write(app: Sphinx) -> None:
    pages = {file: page for page, file in sources().items()}
    reference = Path(app.srcdir, "reference")
    pictures = reference / "measurements"
    if pictures.exists():
        shutil.rmtree(pictures)
    folder = Folder(reference)
    for file, page in pages.items():
        text = rewritten(file.read_text(encoding="utf-8"), file, page, pages, pictures)
        folder.write(f"{page}{SUFFIX}", text + (peers() if page == "measurements/benchmarks" else ""))
    folder.write(f"measurements/index{SUFFIX}", HEAD + INDEX)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("builder-inited", write)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
