"""The table of sources has a row for each surrogate, with what it was compared with and its worst golden error."""

import json
import sys
from pathlib import Path

import pytest

import surgrad

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "docs" / "_ext"))

import verification  # noqa: E402

ROWS = json.loads((ROOT / "docs" / "reference" / "ledger.json").read_text("utf-8"))


@pytest.mark.parametrize("kind", verification.classes(), ids=lambda kind: kind.__name__)
def test_every_surrogate_says_what_it_was_compared_with(kind):
    assert kind.verified
    assert kind.references
    cells = verification.cells(kind, ROWS)
    assert verification.literals(kind.verified) in cells[1]
    assert all(f"<{key}>" in cells[1] for key in kind.references)
    assert all(f"``{law}``" in cells[4] for law in kind.waivers)


def test_every_surrogate_of_the_catalogue_has_a_worst_golden_error():
    for kind in surgrad.catalogue().values():
        assert 0 <= verification.worst(kind, ROWS) <= 1.05, "run tools/ledger.py"


def test_the_worst_error_is_the_largest_of_the_golden_rows_alone():
    name, test = "surgrad._surrogates.window:ZIF", f"tests/test_golden.py{verification.GOLDEN}"
    rows = [{"object": name, "test": test, "error": error} for error in (0.25, 0.5)]
    others = [{"object": name, "test": "tests/test_other.py::test_x", "error": 7.0}, rows[0] | {"object": "a:Z"}]
    assert verification.worst(surgrad.ZIF, rows + others) == 0.5
    assert verification.worst(surgrad.ZIF, others) is None


def test_the_table_has_one_row_of_five_cells_a_surrogate():
    lines = verification.table(ROWS)
    assert sum(line.startswith("   * -") for line in lines) == len(verification.classes()) + 1
    assert sum(line.startswith("     -") for line in lines) == 4 * (len(verification.classes()) + 1)
