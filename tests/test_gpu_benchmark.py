"""The harness of benchmarks/gpu: what can be known of it on a machine without a GPU."""

import json
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.compare import parity, problems, rounds  # noqa: E402
from benchmarks.compare.cases import Case  # noqa: E402
from benchmarks.compare.competitors import COMPETITORS  # noqa: E402
from benchmarks.compare.peers import plain_scan, surgrad  # noqa: E402
from benchmarks.gpu import __main__ as command  # noqa: E402
from benchmarks.gpu import device, match, page, wheels  # noqa: E402
from benchmarks.gpu.cases import WORKLOADS, cases  # noqa: E402
from benchmarks.gpu.goals import goals  # noqa: E402

CASE = Case("g2", "layered", (700, 128, 20), 256, 256, 0.03)


@pytest.fixture(scope="module")
def without(tmp_path_factory):
    """The results and the page of a machine without a GPU."""
    folder = tmp_path_factory.mktemp("without")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device, "card", lambda: None)
        assert command.main(["--out", str(folder)]) == 0
    return json.loads((folder / "results.json").read_text()), (folder / "README.md").read_text()


def rows(text):
    return [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|") and "|-|" not in line]


def test_without_a_gpu_every_cell_says_that_nothing_was_measured(without):
    results, text = without
    assert "nothing was measured, and nothing is claimed" in text
    table = [row for row in rows(text) if len(row) == len(page.COLUMNS) and row[0].strip() != page.COLUMNS[0]]
    assert len(table) == sum(len(run["competitors"]) for run in results["runs"]) > 50
    assert all("not measured" in cell for row in table for cell in row[1:])
    assert {goal.state for goal in goals(results)} == {"not measured"}


def test_all_workloads_of_the_goals_have_cases(without):
    assert {run["workload"] for run in without[0]["runs"]} == set(WORKLOADS)
    assert [case.workload for case in cases(rehearse=True)] == sorted(case.workload for case in cases(rehearse=True))


@pytest.mark.parametrize("rehearse", [False, True])
def test_who_takes_part_has_the_network_and_every_network_has_surgrad_and_a_peer(rehearse):
    for case in cases(rehearse):
        names = command.names(case, None)
        assert all(case.architecture in COMPETITORS[name].architectures for name in names)
        assert {"surgrad", "surgrad_scan"} <= set(names)
        assert "peer" in {COMPETITORS[name].role for name in names}


def timed(*seconds, memory=1000):
    parity = {"passes": True, "spikes_that_differ": 0, "spikes": 9, "entries": 100, "gradient_error": 1e-6}
    clocks = dict.fromkeys(("wall_s", "cpu_s"), rounds.spread(seconds))
    figures = {"status": "timed", "memory_bytes": memory, "process_bytes": memory, "parity": parity, **clocks}
    return rounds.UNKNOWN | figures | {"first_call_s": 1.0}


def test_goals_are_ratios_within_a_round_reached_or_missed_or_not_measured():
    competitors = {"jaxpike": timed(4.0, 40.0, 4.0), "surgrad": timed(2.0, 20.0, 2.0)}
    competitors["jaxpike_checkpointed"] = timed(8.0, 80.0, 8.0, memory=500)
    run = CASE.to_json() | {"rounds": 3, "competitors": competitors}
    found = [(goal.found, goal.state) for goal in goals({"runs": [run]})]
    assert found == [(0.5, "reached"), (None, "not measured"), (2.0, "**missed**")]


def test_the_best_peer_on_jax_is_not_one_on_torch():
    competitors = {"snntorch": timed(1.0), "spyx": timed(2.0), "surgrad": timed(1.5)}
    run = {**CASE.to_json(), "workload": "g4", "rounds": 1, "competitors": competitors}
    (goal,) = goals({"runs": [run]})
    assert (goal.found, goal.state) == (0.75, "reached")
    assert goal.what.endswith("the best peer on JAX, Spyx")


def test_what_does_not_fit_into_the_time_is_not_measured(tmp_path, monkeypatch):
    assert command.main(["--out", str(tmp_path), "--rehearse", "--seconds", "0"]) == 0
    results = json.loads((tmp_path / "results.json").read_text())
    found = {(f["status"], f["reason"]) for run in results["runs"] for f in run["competitors"].values()}
    assert found == {("not measured", "out of time.")}


def test_a_case_has_to_fit_beside_the_longest_of_its_kind(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(match.time, "monotonic", lambda: now[0])
    budget = match.Budget(100)
    with budget.taken(CASE):
        now[0] = 60.0
    assert not budget.fits(CASE)
    assert budget.fits(Case("g3", "feedforward", (32, 32), 20, 4))


def test_a_competitor_that_does_not_answer_in_time_is_not_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(match, "GRACE", 0.1)
    budget = match.Budget(0.2)
    start = time.monotonic()
    found = match.DeviceMatch(
        cases(rehearse=True)[0], ["plain_scan"], tmp_path / "log", budget, "cpu", device.environment(True, None)
    ).play(1)["competitors"]["plain_scan"]
    assert (found["status"], found["reason"]) == ("not measured", "out of time.")
    assert time.monotonic() - start < 30


def test_wheels_of_a_folder_are_installed_without_a_network(tmp_path):
    pytest.importorskip("pip")
    about = {"METADATA": "Metadata-Version: 2.1\nName: carried\nVersion: 1.0\n", "RECORD": ""}
    about["WHEEL"] = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(tmp_path / "carried-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("carried.py", "NUMBER = 42\n")
        for name, text in about.items():
            wheel.writestr(f"carried-1.0.dist-info/{name}", text)
    site = wheels.install(tmp_path, tmp_path / "site")
    code = "import carried; print(carried.NUMBER)"
    environment = device.environment(True, site)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "42\n"


def test_a_folder_without_wheels_is_refused(tmp_path):
    with pytest.raises(SystemExit, match=r"no wheels in .*benchmarks\.gpu\.wheels"):
        wheels.install(tmp_path, tmp_path / "site")


@pytest.mark.parametrize("wrong", [["--workload", "g9"], ["--competitors", "nest"]])
def test_a_wrong_option_is_refused(wrong, capsys):
    with pytest.raises(SystemExit):
        command.options(["--out", "x", *wrong])
    assert wrong[1] in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.promotes("competitors' code, as their users write it")
@pytest.mark.parametrize("case", cases(rehearse=True), ids=lambda case: f"{case.workload}-{case.steps}-{case.dtype}")
def test_the_kernels_that_a_gpu_takes_agree_with_a_scan_where_they_are_interpreted(case, tmp_path):
    problem, outputs = problems.problem(case), []
    programs = {"ours": getattr(surgrad, case.architecture)(problem, backend="pallas")}
    programs["plain"] = getattr(plain_scan, case.architecture)(problem)
    for name, program in programs.items():
        parity.save(tmp_path / name, program)
        outputs.append(parity.Outputs(tmp_path / f"{name}.npz"))
    found = parity.compare(*outputs)
    assert found["passes"], found
    assert found["spikes"] > 0


@pytest.mark.slow
def test_a_rehearsal_measures_all_competitors_that_are_installed_and_all_agree(tmp_path):
    assert command.main(["--out", str(tmp_path), "--rehearse", "--seconds", "900"]) == 0
    results = json.loads((tmp_path / "results.json").read_text())
    figures = [f for run in results["runs"] for f in run["competitors"].values()]
    assert {f["status"] for f in figures} <= {"timed", "not installed"}
    ours = [f for run in results["runs"] for n, f in run["competitors"].items() if COMPETITORS[n].role != "peer"]
    assert {f["status"] for f in ours} == {"timed"}
    assert "a rehearsal" in (tmp_path / "README.md").read_text().lower()
