"""`versions.json` beside the pages: the released versions of the site, newest first, for the menu of versions.

They are those of the changelog, and the one that is built. The menu of the published site reads the file of the newest.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

CHANGELOG = Path(__file__).resolve().parent.parent.parent / "CHANGELOG.md"
RELEASE = re.compile(r"^## \[(\d+\.\d+\.\d+)\]", re.MULTILINE)


def entries(changelog: str, built: str, address: str) -> list[dict[str, Any]]:
    """What the menu lists; the newest version is preferred, and pages of the others say so."""
    found = list(dict.fromkeys([built, *RELEASE.findall(changelog)]))
    found.sort(key=lambda version: [int(part) for part in re.findall(r"\d+", version)], reverse=True)
    newest = {"preferred": True}
    return [{"version": v, "url": f"{address}/{v}/", **(newest if v == found[0] else {})} for v in found]


def write(app: Sphinx, error: Exception | None) -> None:
    if error is None and app.builder.format == "html":
        switcher = app.config.html_theme_options["switcher"]
        address = switcher["json_url"].rpartition("/")[0]
        listed = entries(CHANGELOG.read_text(encoding="utf-8"), switcher["version_match"], address)
        Path(app.outdir, "versions.json").write_text(json.dumps(listed, indent=2) + "\n", encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("build-finished", write)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
