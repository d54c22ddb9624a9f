"""The page: one HTML file that holds formulas, data, styles and scripts, and asks no server for anything."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

from surgrad._catalogue import built_in
from surgrad._surrogate import Surrogate
from surgrad.explore._entries import entries
from surgrad.explore._neuron import neuron, noise
from surgrad.explore._statements import literal
from surgrad.explore._study import results

_SCRIPTS = ("functions", "measures", "neuron", "view", "chart", "code", "controls", "page")
_FORMULAS = ("curve", "slope", "bend", "forward", "backward")
_FIRST = ("Sigmoid", "Arctan", "PiecewiseQuadratic")
"""The surrogates that are shown at first, of a page with all."""


def write(path: str | Path, surrogates: Iterable[Surrogate] | None = None, *, study: str | Path | None = None) -> Path:
    """Write the explorer of surrogates, one HTML file that works without a server, and return its path.

    The page draws curves, slopes and second derivatives, measures them, and follows the gradient of a LIF neuron
    through time. Its formulas are those of the library, translated; surrogates of your own are translated as well.

        >>> import surgrad, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = write(f"{folder}/explorer.html", [surgrad.Sigmoid(4.0), surgrad.Arctan()])
        ...     "Arctan" in path.read_text(encoding="utf-8")
        True

    Parameters:
        path: the file; folders that are missing are made.
        surrogates: the surrogates of the page, all of them shown at first; by default those of the catalogue.
        study: a folder that `surgrad compare` wrote, or the file `results.json` in it; its accuracies are drawn beside
            the curves.

    Raises:
        TypeError: one of the surrogates is not a surrogate object.
        ValueError: the slope of one cannot be translated to JavaScript, or the study is not one.
        FileNotFoundError: there is no such study.
    """
    text = page(surrogates, study=study)
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def page(surrogates: Iterable[Surrogate] | None = None, *, study: str | Path | None = None) -> str:
    """Return the text of the page that `write` writes; arguments and errors are those of `write`.

    >>> import surgrad
    >>> "<script" in page([surgrad.Sigmoid()])
    True
    """
    chosen = None if surrogates is None else list(surrogates)
    if chosen == []:
        raise ValueError("explore: nothing to show; give one surrogate at least.")
    found = entries(
        chosen if chosen is not None else [kind() for kind in sorted(built_in(), key=lambda kind: kind.__name__)]
    )
    first = [entry["id"] for entry in found if chosen is not None or entry["title"] in _FIRST]
    data = {
        "SURROGATES": found,
        "FIRST": first,
        "NEURON": neuron(),
        "NOISE": noise(),
        "STUDY": results(study),
    }
    constants = "".join(f"const {name} = {_script(value)};\n" for name, value in data.items())
    scripts = "\n".join(_read(f"js/{name}.js") for name in _SCRIPTS)
    parts = {"/*styles*/": _read("page.css"), "/*scripts*/": f"'use strict';\n{constants}\n{scripts}"}
    text = _read("page.html")
    for mark, part in parts.items():
        text = text.replace(mark, part)
    return text


def _read(name: str) -> str:
    return files(__package__ or "").joinpath(name).read_text(encoding="utf-8")


def _script(value: Any, name: str = "") -> str:
    """Return data as JavaScript: formulas as they are, everything else as JSON that cannot end the script."""
    if name in _FORMULAS:
        return value
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{_script(one, key)}" for key, one in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_script, value)) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return literal(value)
    return json.dumps(value, ensure_ascii=False, allow_nan=False).replace("</", "<\\/").replace("<!--", "<\\!--")
