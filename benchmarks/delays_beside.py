"""The section of benchmarks/delays.md on the learned delays of sparx, from the results of `benchmarks.delays_sparx`.

    python -m benchmarks.delays_beside

It writes the section anew, where sparx is not installed too.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("delays_sparx.json")
PAGE = RESULTS.with_name("delays.md")


def spread(values: Any) -> str:
    """Mean, standard deviation and values, as cells of a table."""
    values = [float(value) for value in values]
    each = ", ".join(f"{value:.1f}" for value in values)
    return f"{statistics.mean(values):.1f} | {statistics.stdev(values):.1f} | {each}"


def beside_sparx(text: str) -> str:
    """A page with the section that compares sparx, if there are results."""
    if not RESULTS.exists():
        return text
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    chosen = results["chosen"]
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    lines = [
        "## Beside sparx",
        "",
        f"`{results['command']}`: {versions}.",
        "",
        "sparx' `DelayedDense` and surgrad's `DelayedLinear` on the same data, in the same batches, with as many",
        "neurons of the same time constant and surrogate, and as many updates; accuracy in percent.",
        "",
        "| library | delays | mean | standard deviation | seed by seed |",
        "|-|-|-|-|-|",
    ]
    for library in ("sparx", "surgrad"):
        rows = results[library].items()
        lines += [f"| {library} | {variant} | {spread(values)} |" for variant, values in rows]
    lines += [
        "",
        "What differs:",
        "",
        "- Kernel: the normalised Gaussian of sparx is surgrad's with `sigma`; tests/peers/test_their_cells.py",
        "  compares values and gradients. sparx has no linear interpolation; its fixed delays are whole steps.",
        "- Maximum: the same for both. sparx clips delays beyond it and passes their gradients on; here they are also",
        "  clamped after each update, as in DCLS, to which sparx' documentation refers. surgrad reflects them.",
        "- Initial weights: normal for surgrad, truncated normal for sparx, of the same standard deviation. The",
        "  initial delays are uniform for both. The random numbers differ.",
        "- Learning rate of the delays and width of the Gaussian: those of surgrad are those of the table above,",
        "  those of sparx were chosen by the mean accuracy on a fifth of the samples to train by, in percent:",
        "",
        "| width at the start | it falls | delays faster by | batch norm | accuracy on that fifth |",
        "|-|-|-|-|-|",
    ]
    for tried in results["tried"]:
        falls = "on a line, over all updates" if tried["linearly"] else "exponentially, over half of them"
        marked = " (chosen)" if all(tried[name] == value for name, value in chosen.items()) else ""
        lines.append(
            f"| {tried['widest']:g} steps | {falls} | {tried['faster']:g} | {'yes' if tried['normalised'] else 'no'} |"
            f" {statistics.mean(tried['validation']):.1f}{marked} |"
        )
    return "\n".join([text.split(lines[0])[0].rstrip(), "", *lines, ""])


def write() -> None:
    """The section in the page anew."""
    PAGE.write_text(beside_sparx(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write()
