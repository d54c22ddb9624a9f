"""Report dead links of the built site: files and anchors that do not exist, and what is loaded from other servers.

    python tools/links.py docs/_build/html

Addresses of other sites are not asked for, since a build must not depend on them: `sphinx-build -b linkcheck` does so.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src"), ("source", "src")}
LINKS = LOADED | {("a", "href")}


class Page(HTMLParser):
    """The anchors of a page, and the targets of its links with the element and the attribute that has them."""

    def __init__(self, text: str):
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[tuple[str, str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the anchors and the links of an element; a link to the canonical address loads nothing."""
        given = {name: value for name, value in attrs if value}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if given.get("rel") not in ("canonical", "prev", "next"):
            self.links += [(tag, name, value) for name, value in given.items() if (tag, name) in LINKS]


@cache
def read(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def dead(root: Path, page: Path) -> Iterator[str]:
    """A line for each dead link of a page."""
    for tag, name, target in read(page).links:
        where = urlsplit(target)
        if where.scheme or where.netloc:
            if (tag, name) in LOADED and where.scheme in ("http", "https", ""):
                yield f"{page.relative_to(root)}: {tag} loads {target} from another server"
            continue
        file = (page.parent / unquote(where.path)).resolve() if where.path else page
        file = file / "index.html" if file.is_dir() else file
        if not file.exists():
            yield f"{page.relative_to(root)}: {target} does not exist"
        elif where.fragment and file.suffix == ".html" and unquote(where.fragment) not in read(file).anchors:
            yield f"{page.relative_to(root)}: {target}: there is no such anchor"


def main(arguments: list[str]) -> int:
    """Report on the pages below a folder."""
    root = Path(arguments[0]).resolve()
    pages = sorted(page for page in root.rglob("*.html") if "_static" not in page.parts)
    lines = sorted({line for page in pages for line in dead(root, page)})
    print("\n".join(lines) or f"links: nothing to say about {len(pages)} pages")
    return int(bool(lines) or not pages)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
