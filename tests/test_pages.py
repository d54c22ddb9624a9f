"""Lists in the pages that are written by hand are complete."""

import json
import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.compare import targets

from surgrad.cli._entry import COMMANDS, parser

meta = pytest.importorskip("surgrad.meta")
PAGES = Path(__file__).parent.parent / "docs"


def first_cells(page):
    """The code at the beginning of every row of a page's tables."""
    return set(re.findall(r"^\| `([^`]*)`", (PAGES / page).read_text(), re.MULTILINE))


def methods(base):
    """The public classes of methods that derive from a base class."""
    classes = [cls for name in meta.__all__ if isinstance(cls := getattr(meta, name), type)]
    return {f"meta.{cls.__name__}" for cls in classes if issubclass(cls, base) and cls is not base}


@pytest.mark.parametrize(
    ("page", "base"),
    [("explanations/hypergradients.md", meta.HypergradientMethod), ("how-to/choose.md", meta.SearchMethod)],
)
def test_every_method_is_in_the_table_of_its_page(page, base):
    named = {cell.partition("(")[0] for cell in first_cells(page)}
    assert methods(base) == {name for name in named if name.startswith("meta.")}


def test_every_command_of_the_project_is_in_the_table():
    commands = runpy.run_path(str(PAGES.parent / "run.py"))["COMMANDS"]
    assert {f"make {name}" for name in commands} == first_cells("reference/development.md")


def test_every_command_of_surgrad_is_in_the_table():
    names = {module.__name__.rpartition("._")[2] for module in COMMANDS}
    assert names <= first_cells("reference/command-line.md")


def test_the_examples_of_commands_are_understood():
    (block,) = re.findall(
        r"^```sh\n(.*?)^```", (PAGES / "reference/command-line.md").read_text(), re.DOTALL | re.MULTILINE
    )
    for line in block.splitlines():
        program, *arguments = shlex.split(line)
        assert program == "surgrad"
        assert "run" in parser().parse_args(arguments), line


def test_what_the_page_on_speed_says_of_eager_gradients_is_in_the_results():
    took = json.loads((PAGES.parent / "benchmarks" / "results" / "results.json").read_text(encoding="utf-8"))["eager"]
    text = " ".join((PAGES / "explanations" / "speed.md").read_text(encoding="utf-8").split())
    every, first, of_a_sum = (
        f"{took[key]['cpu']:.2f}"
        for key in ("gradient_ratio", "gradient_ratio_of_the_first_tenth", "sum_ratio_of_the_first_tenth")
    )
    assert f"Of {took['calls']:,} eager gradients" in text
    assert f"ours take {every} of the CPU time of braintools'" in text
    assert f"ours take {first}, and" in text
    assert f"takes {of_a_sum}; the project's goal is {took['target_ratio']}" in text


def results_of_dense_input():
    """The figures of one layer with dense input in the results of the benchmark, by its number of neurons."""
    runs = json.loads((PAGES.parent / "benchmarks" / "results" / "results.json").read_text(encoding="utf-8"))["runs"]
    return {run["sizes"][0]: run for run in runs if run["workload"] == "a" and run["activity"] is None}


def shares_of(neurons, table):
    """What surgrad takes of the fastest peer, the less and the more in two runs: that of the results and of a table."""
    run = results_of_dense_input()[neurons]
    found = targets.ratio(run, "surgrad", targets.fastest_peer(run, "cpu_s"), "cpu_s")
    return " to ".join(sorted((f"{found:.2f}", table["surgrad"])))


def test_what_the_page_on_speed_says_of_compilation_is_in_the_results():
    text = " ".join((PAGES / "explanations" / "speed.md").read_text(encoding="utf-8").split())
    found = results_of_dense_input()[512]["competitors"]
    dense, first, later = (
        f"{found[name][key]:.1f}"
        for name, key in (
            ("surgrad_dense", "compile_cpu_s"),
            ("surgrad", "compile_cpu_s"),
            ("surgrad", "compile_again_cpu_s"),
        )
    )
    assert f"takes {dense} s of CPU time for a layer of 512 neurons with dense products" in text
    assert f"it takes {first} for the first program of a process" in text
    assert f"and {later} for others after it" in text


def test_what_the_page_on_speed_says_of_products_alone_was_measured():
    table = (PAGES.parent / "benchmarks" / "bounds.md").read_text(encoding="utf-8")
    text = " ".join((PAGES / "explanations" / "speed.md").read_text(encoding="utf-8").split())
    small, large = (
        {name: f"{float(share):.2f}" for name, share in re.findall(r"^\| ([^|]+) \| [\d.]+ \| ([\d.]+) \|", part, re.M)}
        for part in table.split("512-512")[1].split("1024-1024")
    )
    products, squares = "products alone, XLA", "products and squares, XLA"
    assert f"The products alone take {small[products]} of it" in text
    assert f"XLA takes {small[squares]}; the project's goal is 0.70" in text
    assert (
        f"products alone take {large[products]} of the fastest library's time (sparx), the squares {large[squares]}"
        in text
    )
    assert f"takes {shares_of(512, small)} of the time of the fastest other library" in text
    assert f"and surgrad {shares_of(1024, large)}, where the goal is 0.80" in text
    assert float(small[squares]) > 0.7  # goals that XLA's products leave no room for
    assert float(large[squares]) > 0.8
