"""The committed ledger has evidence for every object that promises to be faithful to something."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

import ledger
import surgrad
from ledger import agrees, record
from surgrad import encode, losses, metrics, nn, train

ROWS = json.loads((Path(__file__).parent.parent / "docs" / "reference" / "ledger.json").read_text("utf-8"))
BASES = (nn.Layer, nn.Cell, nn.Connection)
LAYERS = [getattr(nn, name) for name in nn.__all__ if isinstance(getattr(nn, name), type)]


def checked():
    """All objects of which the ledger must have a row."""
    yield from surgrad.catalogue().values()
    yield from (cls for cls in LAYERS if issubclass(cls, (nn.Cell, nn.Connection)) and cls not in BASES)
    yield from (getattr(package, name) for package in (encode, losses, metrics) for name in package.__all__)
    functions = [getattr(train, name) for name in train.__all__]
    yield from (f for f in functions if f is train.score or f.__module__.rpartition(".")[2].startswith("_loss"))


@pytest.mark.parametrize("thing", list(checked()), ids=lambda thing: thing.__name__)
def test_there_is_evidence_from_outside_for_it(thing):
    assert f"{thing.__module__}:{thing.__qualname__}" in {row["object"] for row in ROWS}, "run tools/ledger.py"


def test_every_row_is_of_something_that_exists_and_within_its_tolerance():
    for row in ROWS:
        module, _, name = row["object"].partition(":")
        assert callable(getattr(importlib.import_module(module), name))
        assert row["error"] <= row["tolerance"] * 1.05, row  # errors are rounded to two digits
        assert (Path(__file__).parent.parent / row["test"].partition("::")[0]).exists()


def test_what_is_compared_is_recorded_with_its_largest_error(monkeypatch, tmp_path):
    file = tmp_path / "rows"
    monkeypatch.setenv(ledger.VARIABLE, str(file))
    agrees(np.array([1.0, 2.02]), np.array([1.0, 2.0]), of=nn.LIF(), reference="by hand", rtol=0.02)
    record(encode.rate, "by hand", 1.5, 2.0, "spikes")
    with pytest.raises(AssertionError):
        agrees(1.0, 2.0, of=nn.LIF, reference="by hand", atol=0.5)
    with pytest.raises(AssertionError):
        record(nn.LIF, "by hand", float("nan"), 2.0, "spikes")
    first, second = map(json.loads, file.read_text().splitlines())
    assert first["object"] == "surgrad.nn._cells:LIF"
    assert (first["error"], first["measure"], second["error"]) == (0.01, "relative", 1.5)
    assert first["test"].endswith("test_ledger.py::test_what_is_compared_is_recorded_with_its_largest_error")
