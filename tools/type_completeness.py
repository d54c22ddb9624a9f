"""The share of the public surface whose types pyright knows: `python tools/type_completeness.py`.

`pyright --verifytypes` takes what jaxtyping and JAX re-export for unknown, though an ordinary run reads
`Float[Array, "..."]` as `jax.Array`. A copy of the package is therefore checked, in which `Float` and its like are
`Annotated`, which is what jaxtyping itself shows to type checkers.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LEAST = 0.94
"""The share that has been reached; `python run.py lint` fails below it."""


def checked(folder: Path) -> dict[str, Any]:
    """Return pyright's report on a copy of the package in a folder."""
    package = shutil.copytree(
        ROOT / "src" / "surgrad", folder / "surgrad", ignore=shutil.ignore_patterns("__pycache__")
    )
    kinds: set[str] = set()
    for file in package.rglob("*.py"):
        text = file.read_text("utf-8")
        for imported in re.findall(r"^from jaxtyping import (.+)$", text, re.MULTILINE):
            kinds |= {name.strip() for name in imported.split(",")} - {"Array"}
        file.write_text(text.replace("from jaxtyping import", "from surgrad._shapes import"), "utf-8")
    lines = [f"from typing import Annotated as {kind}" for kind in sorted(kinds)]
    (package / "_shapes.py").write_text("\n".join(["import jax", *lines, "Array = jax.Array", ""]), "utf-8")
    pyright, options = Path(sys.executable).with_name("pyright"), ("--ignoreexternal", "--outputjson")
    command = [pyright, "--pythonpath", sys.executable, "--verifytypes", "surgrad", *options]
    where = {**os.environ, "PYTHONPATH": str(folder)}
    found = subprocess.run(command, cwd=folder, env=where, capture_output=True, text=True, check=False)
    return json.loads(found.stdout)["typeCompleteness"]


def main() -> int:
    """Print what pyright does not know, and the share that it knows; return 1 if that is too small."""
    with tempfile.TemporaryDirectory() as folder:
        report = checked(Path(folder))
    for symbol in report["symbols"]:
        if not symbol["isTypeKnown"] or symbol["isTypeAmbiguous"]:
            for found in symbol["diagnostics"]:
                print(f"{symbol['name']}: {found['message'].splitlines()[0]}")
    print(f"types known: {report['completenessScore']:.1%} of the public surface, at least {LEAST:.0%} wanted")
    return int(report["completenessScore"] < LEAST)


if __name__ == "__main__":
    sys.exit(main())
