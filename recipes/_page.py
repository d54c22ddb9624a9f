"""The table of all recipes, `README.md`, and the files of results that it is made of."""

from __future__ import annotations

import importlib
import json
import pkgutil
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import recipes
from recipes._recipe import Recipe

HEAD = """# Recipes

Networks of spiking neurons on data sets, from the samples to an accuracy, with one command each, in a clone of the
repository:

```sh
pip install ".[train,data]"
python -m recipes.digits
```

`--seeds` and `--epochs` set the number and the length of the runs, and `--out` another folder for the results.
`--validate` judges by a fifth of the samples to train on: hyperparameters are chosen by it, and never by the test
samples. A run writes a file below `results`, and then this page from all of these files.

Accuracies are those on the test samples after the last epoch, as mean ± standard deviation over seeds. Times are means
over the runs, compilation included and loading of the data excluded. Memory is the largest resident set of the process,
with Python, JAX and the data.

"""
COLUMNS = "recipe", "epochs", "seeds", "test accuracy (%)", "goal", "weights", "CPU time", "time", "memory"


def all_recipes() -> dict[str, Recipe]:
    """The recipe of each module of this package, by the module's name."""
    names = [module.name for module in pkgutil.iter_modules(recipes.__path__) if not module.name.startswith("_")]
    return {name: importlib.import_module(f"recipes.{name}").RECIPE for name in names}


def write(folder: Path, name: str, results: dict[str, Any]) -> None:
    """Write the results of a recipe, and the page of all that the folder has."""
    (folder / "results").mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, ensure_ascii=False) + "\n"
    (folder / "results" / f"{name}.json").write_text(text, encoding="utf-8")
    (folder / "README.md").write_text(page(folder), encoding="utf-8")


def page(folder: Path) -> str:
    """The page of the results in a folder."""
    found = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in (folder / "results").glob("*.json")}
    known = all_recipes()
    rows = ["| " + " | ".join(COLUMNS) + " |", "|-" * len(COLUMNS) + "|"]
    rows += [_row(name, recipe, found.get(name)) for name, recipe in known.items()]
    parts = [_section(name, recipe, found.get(name)) for name, recipe in known.items()]
    return HEAD + "\n".join(rows) + "\n\n" + "\n".join(parts)


def _row(name: str, recipe: Recipe, results: dict[str, Any] | None) -> str:
    link = f"[{recipe.title}](#{name.replace('_', '-')})"
    goal = "–" if recipe.goal is None else f"{100 * recipe.goal:g}"
    if results is None:
        why = "not run here: needs the data" if recipe.needs else "not run yet"
        return f"| {link} | {recipe.epochs} | – | {why} | {goal} | – | – | – | – |"
    runs = results["runs"]
    cells = [
        link,
        results["epochs"],
        len(runs),
        spread([run["accuracy"] for run in runs]),
        goal,
        f"{runs[0]['weights']:,}",
        duration(statistics.mean(run["cpu_seconds"] for run in runs)),
        duration(statistics.mean(run["wall_seconds"] for run in runs)),
        "–" if results["peak_bytes"] is None else f"{results['peak_bytes'] / 2**30:.1f} GiB",
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


def _section(name: str, recipe: Recipe, results: dict[str, Any] | None) -> str:
    lines = [f"## {name.replace('_', '-')}", "", recipe.about, "", "```sh", f"python -m recipes.{name}", "```", ""]
    if results is None:
        lines.append(f"Not run here: needs the data. {recipe.needs}" if recipe.needs else "Not run yet.")
        return "\n".join([*lines, ""])
    runs, commit, where = results["runs"], results["commit"], results["machine"]
    each = ", ".join(f"{100 * run['accuracy']:.2f}" for run in runs)
    versions = ", ".join(f"{package} {version}" for package, version in results["versions"].items() if version)
    changed = " with changes" if commit["changed"] else ""
    lines.append(
        f"Each seed, in %: {each}. {results['date']}, {where['cores']} cores of "
        f"{where['cpu'] or 'an unknown processor'}; Python {where['python']}, {versions}; commit "
        f"{(commit['id'] or 'unknown')[:12]}{changed}."
    )
    return "\n".join([*lines, ""])


def spread(accuracies: Sequence[float]) -> str:
    """Mean ± standard deviation in %; the mean alone of a single run."""
    percent = [100 * accuracy for accuracy in accuracies]
    mean = f"{statistics.mean(percent):.2f}"
    return mean if len(percent) < 2 else f"{mean} ± {statistics.stdev(percent):.2f}"


def duration(seconds: float) -> str:
    """Seconds below two minutes, else minutes."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def line(run: dict[str, Any]) -> str:
    """A run in words, for the terminal."""
    return f"seed {run['seed']}: {100 * run['accuracy']:.2f} % in {duration(run['wall_seconds'])}"
