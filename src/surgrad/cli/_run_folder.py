"""The folder of `surgrad train`: what was asked for, with which versions, and what came out."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from surgrad._commit import commit_of
from surgrad._files import replacing
from surgrad.cli._configuration import difference
from surgrad.cli._folder import _plain, _versions
from surgrad.cli._usage import UsageError, writing


class RunFolder:
    """A folder with `run.json`, a folder for each seed, and `curves.png`.

    Parameters:
        path: of the folder, which is made if it is missing.
        file: the file of the configuration.
        configuration: what it says, with all defaults.
        seeds: of the runs.
        writes: whether this process writes the folder; of several that train together one does.

    Raises:
        UsageError: the folder cannot be written, or has the results of another configuration.
    """

    def __init__(
        self, path: Path, file: Path, configuration: Mapping[str, Any], seeds: Sequence[int], writes: bool = True
    ) -> None:
        self.path, self.seeds, self.writes = path, seeds, writes
        self.results: dict[int, dict[str, float]] = {}
        commit = commit_of(file.resolve().parent)
        self._about = {
            "configuration": dict(configuration),
            "versions": _versions(),
            "commit": None if commit is None else commit._asdict(),
            "seeds": list(seeds),
        }
        if (there := self._there()) is not None:
            if found := difference(there["configuration"], configuration):
                raise UsageError(f"{path} has results of another configuration: {found}; give another folder, --out.")
            if writes and (found := difference(there["versions"], self._about["versions"])):
                print(f"{path} was begun with other versions: {found}", file=sys.stderr)
            self._about = {name: there[name] for name in self._about}
            self.results = {result["seed"]: result for result in there["results"]}
        self._write()

    def of_seed(self, seed: int) -> Path:
        """The folder of a seed."""
        with writing(self.path):
            (self.path / f"seed-{seed}").mkdir(parents=True, exist_ok=True)
        return self.path / f"seed-{seed}"

    def finish(self, seed: int, history: Sequence[Mapping[str, float]], tested: Mapping[str, float]) -> None:
        """Note the numbers of the last epoch of a seed, and those of the test."""
        self.results[seed] = {"seed": seed, **history[-1], **tested}
        self._write()

    def line(self, seed: int) -> str:
        """The numbers of a seed in a line."""
        shown = (f"{name} {value:.4g}" for name, value in self.results[seed].items() if name not in ("seed", "step"))
        return f"seed {seed}: {', '.join(shown)}"

    def draw(self) -> None:
        """Write the picture of the curves."""
        from surgrad import plot

        histories = {f"seed {seed}": self._history(seed) for seed in self.seeds}
        with writing(self.path), replacing(self.path / "curves.png") as file:
            plot.training(histories).savefig(file, format="png", dpi=160)

    def _history(self, seed: int) -> list[dict[str, float]]:
        with (self.of_seed(seed) / "metrics.csv").open(newline="", encoding="utf-8") as file:
            return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]

    def _there(self) -> dict[str, Any] | None:
        """What an earlier start wrote, or None.

        Raises:
            UsageError: it cannot be read.
        """
        try:
            return json.loads((self.path / "run.json").read_text("utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise UsageError(f"cannot read {self.path / 'run.json'}: {error}; give another folder, --out.") from error

    def _write(self) -> None:
        if not self.writes:
            return
        finished = set(self.seeds) <= self.results.keys()
        results = [self.results[seed] for seed in self.seeds if seed in self.results]
        content = {**self._about, "finished": finished, "results": results}
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            with replacing(self.path / "run.json") as file:
                file.write((json.dumps(_plain(content), indent=1, allow_nan=False) + "\n").encode())
