"""Draw docs/images/explorer.png: the explorer in a browser, as it opens.

    python tools/explorer_picture.py

It needs Chromium, and nothing of the network.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from surgrad import explore

PICTURE = Path(__file__).parent.parent / "docs" / "images" / "explorer.png"
VIEW = "#show=sigmoid(8)~arctan(2)~piecewise_quadratic(1.5)&at=0.25&current=noise&size=0.22"
FLAGS = (
    "headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
    "disable-component-update", "disable-sync", "hide-scrollbars", "window-size=1280,1080",
    "force-device-scale-factor=1",
)  # fmt: skip


def main() -> int:
    """Write the page into a folder that is removed afterwards, and its picture into the documentation."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        print("explorer_picture: there is no Chromium here", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        page = explore.write(Path(folder, "explorer.html"))
        flags = [f"--{flag}" for flag in (*FLAGS, f"user-data-dir={folder}/profile", f"screenshot={PICTURE}")]
        subprocess.run([chromium, *flags, page.as_uri() + VIEW], check=True, capture_output=True, timeout=120)
    return 0


if __name__ == "__main__":
    sys.exit(main())
