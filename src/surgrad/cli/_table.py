"""The table of a study on the terminal."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the study needs Optax, which may be missing
    from surgrad.study import Comparison, Summary


def print_table(summary: Sequence[Summary]) -> None:
    """Print one line for each variant, and conclusions; without rules and colours if the output is no terminal.

    Each task and network has a table of its own, below its name where there are several.
    """
    groups: dict[str, list[Summary]] = {}
    for line in summary:
        groups.setdefault(f"{line.task}, {line.network}", []).append(line)
    console = the_console()
    for name, lines in groups.items():
        if len(groups) > 1:
            console.print(name, markup=False)
        _print(console, lines)


def the_console() -> Any:
    """A console on standard output, of which nothing is cut where the width is unknown."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200
    return console


def _print(console: Any, summary: Sequence[Summary]) -> None:
    from rich import box
    from rich.table import Table

    terminal = console.is_terminal
    scaled = all(line.parameter == "scale" for line in summary)
    heads = "test accuracy, %", "test loss", "train loss", "firing rate", "s"
    table = Table("surrogate", box=box.SIMPLE_HEAD if terminal else None, pad_edge=False)
    for head in ("scale" if scaled else "setting", *heads):
        table.add_column(head.replace(" ", "\n", 1) if terminal else head, justify="right", no_wrap=True)
    for line in summary:
        table.add_row(*_cells(line, scaled))
    console.print(table)
    console.print("\n".join(_conclusions(summary)))


def print_comparisons(comparisons: Sequence[Comparison]) -> None:
    """Print one line for each comparison of accuracies, in percentage points."""
    from rich.table import Table

    table = Table("surrogate", "setting", "task and network", box=None, pad_edge=False)
    for head in ("seeds", "difference, points", "95 % interval", "p", "p (Holm)", ""):
        table.add_column(head, justify="right", no_wrap=True)
    for one in comparisons:
        low, high = (f"{100 * end:+.1f}" for end in (one.low, one.high))
        table.add_row(
            *(one.surrogate, f"{one.parameter} = {one.value:g}", f"{one.task}, {one.network}", str(one.pairs)),
            *(f"{100 * one.difference:+.1f}", f"{low} to {high}", f"{one.p_value:.2g}", f"{one.p_corrected:.2g}"),
            "*" if one.significant else "",
        )
    the_console().print(table)


def _cells(line: Summary, scaled: bool) -> list[str]:
    sd = "" if line.test_accuracy_sd is None else f" ± {100 * line.test_accuracy_sd:.1f}"
    return [
        line.surrogate,
        f"{line.value:g}" if scaled else f"{line.parameter} = {line.value:g}",
        f"{100 * line.test_accuracy:.1f}{sd}",
        f"{line.test_loss:.3f}",
        f"{line.train_loss:.3f}",
        f"{line.firing_rate:.3f}",
        f"{line.seconds:.1f}",
    ]


def _conclusions(summary: Sequence[Summary]) -> list[str]:
    """How much the accuracy depends on the setting, the surrogate and the seed, if there are several of each."""
    settings = _widest(summary, lambda line: (line.surrogate, line.parameter))
    surrogates = _widest(summary, lambda line: (line.parameter, line.value))
    spreads = [100 * line.test_accuracy_sd for line in summary if line.test_accuracy_sd is not None]
    lines = []
    if settings is not None:
        lines.append(f"largest difference in accuracy between settings of one surrogate: {settings:.1f} points")
    if surrogates is not None:
        lines.append(f"largest difference in accuracy between surrogates at one setting: {surrogates:.1f} points")
    if spreads:
        lines.append(
            f"standard deviation of the accuracy over seeds: {statistics.fmean(spreads):.1f} points on average"
        )
    return lines


def _widest(summary: Sequence[Summary], same: Callable[[Summary], Any]) -> float | None:
    """The largest range of accuracies, in percentage points, among lines for which `same` is equal; None if none is."""
    groups: dict[Any, list[float]] = {}
    for line in summary:
        groups.setdefault(same(line), []).append(100 * line.test_accuracy)
    return max((max(group) - min(group) for group in groups.values() if len(group) > 1), default=None)
