"""What the pages of surrogates show besides their docstrings, and the gallery of all; computed from the catalogue."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from pathlib import Path
from typing import Any

import bibliography
import jax
import numpy as np
import verification
from matplotlib.figure import Figure
from sphinx.application import Sphinx
from written import Folder

import surgrad
from surgrad import plot
from surgrad._catalogue import TAGS, built_in, snake_case
from surgrad._peers import rows
from surgrad.plot import _samples as samples
from surgrad.plot._style import GREY, strip

CACHE = "_build/figures"
"""Below the folder of the pages: figures and numbers, kept for one state of the library's source."""

Facts = dict[str, dict[str, Any]]
facts: Facts = {}


def is_surrogate(value: Any) -> bool:
    """Whether a value is a class of the library's catalogue."""
    return value in built_in()


def prepare(app: Sphinx) -> None:
    """Draw and measure what is not kept from an earlier build, and write the gallery and the bibliography."""
    state = Path(app.config.nb_execution_cache_path).name  # a digest of the library's source
    folder = Path(app.srcdir, CACHE, state)
    folder.mkdir(parents=True, exist_ok=True)
    known = folder / "facts.json"
    if not known.exists():
        for kind in built_in():
            draw(kind()).savefig(folder / f"{kind.__name__}.svg")
        plot.gallery(columns=4).savefig(folder / "gallery.svg")
        known.write_text(json.dumps({kind.__name__: measured(kind()) for kind in built_in()}))
    facts.update(json.loads(known.read_text()))
    for found in facts.values():
        found["folder"] = f"/{CACHE}/{state}"
    Folder(Path(app.srcdir, "reference")).write("gallery.rst", "\n".join(gallery()))
    Folder(Path(app.srcdir, "reference")).write("bibliography.rst", "\n".join(bibliography.page()))


def measured(one: surgrad.Surrogate) -> dict[str, float | None]:
    """Peak, width and area of a slope; None for what is infinite or not defined."""

    def number(value: Any) -> float | None:
        return float(value) if math.isfinite(value) else None

    return {"height": number(one.peak()), "width": number(one.fwhm()), "area": number(samples.area(one) or math.nan)}


def draw(one: surgrad.Surrogate) -> Figure:
    """The curve, the slope and the derivative of the slope, one above the other."""
    reach = samples.reach(one)
    x = samples.grid((-reach, reach))
    second = np.asarray(jax.jit(jax.vmap(jax.grad(one.surrogate_grad)))(x))
    curve = samples.curve(one, x)
    rows = [("curve σ(x)", curve), ("slope σ′(x)", samples.slope(one, x)), ("second\nderivative σ″(x)", second)]
    rows = [(label, values) for label, values in rows if values is not None]
    figure = Figure(figsize=(5.4, 1.6 * len(rows) + 0.6), layout="constrained")
    colour = plot.colour_of(one)
    for axes, (label, values) in zip(figure.subplots(len(rows), 1, sharex=True), rows, strict=True):
        if values is curve:
            axes.plot([x[0], 0, 0, x[-1]], [0, 0, 1, 1], color=GREY, lw=1.2, label="spike H(x)")
        axes.plot(x, values, color=colour, lw=2)
        strip(axes)
        axes.set_ylabel(label, fontsize=10)
    axes.set_xlabel("x = (membrane potential − threshold)/scale  (dimensionless)", fontsize=10)
    if curve is not None:
        figure.legend(loc="outside upper right", frameon=False, fontsize=10)
    return figure


def shown(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.4g}"


def section(kind: type[surgrad.Surrogate]) -> list[str]:
    """What stands between the class and its functional form."""
    found = facts[kind.__name__]
    return [
        *figure(f"{found['folder']}/{kind.__name__}.svg", f"Curve, slope and second derivative of {kind()!r}."),
        *hyperparameters(kind),
        f"At the defaults the slope has the height {shown(found['height'])}, the width at half of its height "
        f"{shown(found['width'])} and the area {shown(found['area'])}.",
        "The :doc:`gallery </reference/gallery>` shows all surrogates side by side.",
        "",
        *described(kind),
        *waived(kind),
        *elsewhere(kind.__name__),
        *publications(kind),
        ".. rubric:: Functional form",
        "",
    ]


def figure(file: str, caption: str) -> list[str]:
    return [f".. figure:: {file}", f"   :alt: {caption}", "", f"   {caption}", ""]


def hyperparameters(kind: type[surgrad.Surrogate]) -> list[str]:
    """A table of the declared hyperparameters."""
    own = [f for f in dataclasses.fields(kind) if f.metadata.get("choices") is None]
    lines = [".. list-table:: Hyperparameters", "   :header-rows: 1", ""]
    lines += ["   * - name", "     - default", "     - range"]
    for field in own:
        default = "none" if field.default in (dataclasses.MISSING, None) else f"{field.default:g}"
        lines += [f"   * - ``{field.name}``", f"     - {default}", f"     - {limits(field.metadata)}"]
    return [*lines, ""] if own else []


def limits(rules: Any) -> str:
    """The range of a field in words."""
    if not rules:
        return "see the parameters"
    signs = {"above": ">", "at_least": ">=", "at_most": "<="}
    parts = [f"{sign} {rules[rule]:g}" for rule, sign in signs.items() if rules.get(rule) is not None]
    if "whole" in rules:
        parts.append(f"an integer >= {rules['whole']}")
    if rules.get("static") and not parts:
        parts.append("part of the program")
    return ", ".join(parts) or "all real numbers"


def described(kind: type[surgrad.Surrogate]) -> list[str]:
    """The tags of a class, and what its formula was compared with."""
    lines = [f"- *{tag}*: {TAGS[tag]}" for tag in sorted(kind.tags)]
    lines = [".. rubric:: Tags", "", *lines, ""] if lines else []
    return [f"The formula was compared with {verification.literals(kind.verified)}.", "", *lines]


def waived(kind: type[surgrad.Surrogate]) -> list[str]:
    """The laws that the class breaks on purpose, with its reasons."""
    lines = [f"- ``{law}``: {bibliography.plain(reason)}" for law, reason in kind.waivers.items()]
    return [".. rubric:: Laws that do not hold", "", *lines, ""] if lines else []


def elsewhere(name: str) -> list[str]:
    """The surrogates of other libraries that are this one."""
    lines = []
    for row in rows():
        if re.search(rf"\b{name}\(", row.here):
            note = "; there it " + row.note.replace("|", "\\|") if row.note else ""
            lines.append(f"- ``{row.call}`` of {row.library.name} is ``{row.here}``{note}.")
    return [".. rubric:: In other libraries", "", *lines, ""] if lines else []


def publications(kind: type[surgrad.Surrogate]) -> list[str]:
    lines = [f"- \\{bibliography.text(key)}" for key in kind.references]
    return [".. rubric:: Sources", "", *lines, ""] if lines else []


def gallery() -> list[str]:
    """The page with all surrogates: one figure, and a table."""
    kinds = sorted(built_in(), key=lambda kind: kind.__name__)
    lines = ["Gallery of surrogates", "=====================", ""]
    lines += [f"The {len(kinds)} surrogates of the catalogue at their defaults, on one scale but for those with bold"]
    lines += ["numbers below them. A surrogate has the same colour in all pictures of this library, one of"]
    lines += [":py:obj:`PALETTE <surgrad.plot.PALETTE>`, whose colours stay apart for colour-blind readers.", ""]
    folder = next(iter(facts.values()))["folder"]
    lines += figure(f"{folder}/gallery.svg", "Curve, slope and spike of each surrogate at its defaults.")
    lines += [".. list-table:: Slopes at the defaults", "   :header-rows: 1", "   :class: numbers", ""]
    head = ["surrogate", "functional form", "height", "width at half height", "area", "tags"]
    rows = [
        [
            f":py:obj:`{name} <surgrad.{name}>`",
            f":py:obj:`{snake_case(name)} <surgrad.{snake_case(name)}>`",
            *(shown(facts[name][value]) for value in ("height", "width", "area")),
            ", ".join(sorted(kind.tags)),
        ]
        for name, kind in ((kind.__name__, kind) for kind in kinds)
    ]
    for row in [head, *rows]:
        lines += [f"   {'* ' if i == 0 else '  '}- {cell}" for i, cell in enumerate(row)]
    return [*lines, ""]
