"""The data of a study, for the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from surgrad._catalogue import snake_case
from surgrad._colours import on_dark, styles
from surgrad.explore._entries import dash

_KEPT = ("surrogate", "parameter", "value", "runs", "test_accuracy", "test_accuracy_sd")


def results(path: str | Path | None) -> dict[str, Any] | None:
    """Return the summary of a study that `surgrad compare` has written, with the look of each surrogate.

    Parameters:
        path: the folder, or the file `results.json` in it; None for no study.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not one that `surgrad compare` writes.
    """
    if path is None:
        return None
    file = Path(path) / "results.json" if Path(path).is_dir() else Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"explore: there is no study at {file}; give a folder that `surgrad compare` wrote.")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        lines = [{name: line[name] for name in _KEPT} for line in content["summary"]]
        kinds = {line["surrogate"]: line.get("kind") or line["surrogate"] for line in content["summary"]}
        task = str(content["settings"]["data"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"explore: {file} is not what `surgrad compare` writes: {error!r}.") from error
    looks = {
        name: {"colour": colour, "dark": on_dark(colour), "dash": dash(dashes), "kind": snake_case(kinds[name])}
        for name, (colour, dashes) in zip(kinds, styles(kinds.values()), strict=True)
    }
    return {"task": task, "lines": lines, "looks": looks}
