"""The harness of benchmarks/compare: it times what is right, in turn, and says so where it does not know."""

import functools
import json
import shutil
import sys
import tempfile
from pathlib import Path

import jax
import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import data_parallel, readme_table  # noqa: E402
from benchmarks.compare import __main__ as command  # noqa: E402
from benchmarks.compare import environments, page, parity, problems, rounds, targets  # noqa: E402
from benchmarks.compare.cases import WORKLOADS, Case, cases  # noqa: E402
from benchmarks.compare.competitors import COMPETITORS, entered  # noqa: E402
from benchmarks.compare.peers import plain_scan  # noqa: E402
from benchmarks.compare.processes import WorkerError  # noqa: E402
from benchmarks.gpu import page as gpu_page  # noqa: E402

from marks import parameters  # noqa: E402

pytestmark = pytest.mark.promotes("competitors' code, as their users write it")

QUICK = [case for workload in "abcg" for case in cases(workload, quick=True)]


def outputs(path, program):
    parity.save(path, program)
    return parity.Outputs(path.with_suffix(".npz"))


def built(case, **changes):
    return getattr(plain_scan, case.architecture)(problems.problem(case)._replace(**changes))


@functools.cache
def reference(case):
    with jax.enable_x64(True), tempfile.TemporaryDirectory() as folder:
        program = getattr(plain_scan, case.architecture)(problems.problem(case).double())
        return outputs(Path(folder) / "reference", program)


def backpropagation_through_time(problem):
    """Spikes and gradients of the sum of all spikes of one layer, by hand."""
    x, w, b = problem.inputs, problem.parameters["weights"], problem.parameters["bias"]
    voltage, voltages = np.zeros((x.shape[1], len(b))), []
    for now in x:
        voltage = 7 / 8 * voltage + now @ w + b
        voltages.append(voltage)
        voltage = voltage - (voltage >= 1)
    adjoint, by_current = np.zeros_like(voltage), np.zeros((len(x), *voltage.shape))
    for t in reversed(range(len(x))):
        slope = 1 / (1 + (np.pi * (voltages[t] - 1)) ** 2)
        adjoint = 7 / 8 * adjoint  # of the voltage after the reset
        adjoint = adjoint + (1 - adjoint) * slope
        by_current[t] = adjoint
    gradients = {"weights": np.einsum("tbi,tbo->io", x, by_current), "bias": by_current.sum((0, 1))}
    return np.stack(voltages) >= 1, gradients


def test_the_reference_is_backpropagation_through_time():
    case = Case("a", "feedforward", (6, 5), 30, 3)
    found, (spikes, gradients) = reference(case), backpropagation_through_time(problems.problem(case).double())
    assert 0 < spikes.sum() < spikes.size
    assert np.array_equal(found.spikes[0], spikes)
    for name, exact in gradients.items():
        np.testing.assert_allclose(found.gradients[name], exact, rtol=1e-12)


LONG = [case.name for case in cases("c", quick=True)]


@pytest.mark.parametrize("case", parameters(QUICK, slow=LONG, name=lambda case: case.name))
def test_single_precision_passes_parity(case, tmp_path):
    exact = reference(case)
    found = parity.compare(outputs(tmp_path / "found", built(case)), exact)
    assert found["passes"], found
    assert found["spikes"] > 0
    assert found["gradient_error"] < 1e-5


@pytest.mark.parametrize("case", QUICK, ids=lambda case: case.name)
def test_another_decay_fails_parity(case, tmp_path, monkeypatch):
    exact = reference(case)
    monkeypatch.setattr(plain_scan, "DECAY", 0.85)
    found = parity.compare(outputs(tmp_path / "found", built(case)), exact)
    assert not found["passes"]
    assert found["spikes_that_differ"] > 0


@pytest.mark.parametrize("slope", ["arctan window", "norse"])
def test_another_slope_fails_parity_by_its_gradient(slope, tmp_path):
    exact = reference(QUICK[0])
    found = parity.compare(outputs(tmp_path / "found", built(QUICK[0], slope=slope)), exact)
    assert not found["passes"]
    assert found["spikes_that_differ"] == 0


def test_a_gradient_that_is_not_finite_fails_parity():
    assert parity.relative_error(np.array([np.nan]), np.ones(1)) == float("inf")


@pytest.mark.parametrize("case", [*cases("a", (32, 128)), *cases("b")], ids=lambda case: case.name)
def test_single_precision_adds_weighted_inputs_without_error(case):
    problem = problems.problem(case)
    weights, inputs = next(iter(problem.parameters.values())), problem.inputs[:20]
    assert np.array_equal(inputs @ weights, inputs.astype(float) @ weights.astype(float))


def test_all_have_a_turn_in_each_round_and_every_second_round_runs_backwards():
    turns = []
    rounds.in_turn({name: lambda name=name: turns.append(name) or {} for name in "abc"}, 3)
    assert "".join(turns) == "abccbaabc"


def test_only_binary_inputs_are_given_to_event_driven_competitors():
    dense, sparse = cases("a", quick=True)
    assert set(entered(sparse)) - set(entered(dense)) == {n for n, c in COMPETITORS.items() if c.sparse}


def test_every_competitor_takes_part_somewhere_and_has_a_colour_of_its_own():
    entries = COMPETITORS.values()
    assert all(c.architectures and c.devices for c in entries)
    assert len({c.colour for c in entries}) == len(COMPETITORS)


def test_a_competitor_whose_environment_is_missing_is_not_installed(tmp_path):
    found = rounds.Match(QUICK[0], ["sparx"], tmp_path / "log", {"sparx": "/nowhere/python"}).play(1)["competitors"]
    assert found["sparx"]["status"] == "not installed"
    assert "/nowhere/python" in found["sparx"]["reason"]


@pytest.mark.parametrize("workload", WORKLOADS)
def test_a_case_survives_json(workload):
    for case in cases(workload):
        assert Case.from_json(json.loads(json.dumps(case.to_json()))) == case


def test_what_cannot_take_part_is_unknown_in_every_figure(tmp_path):
    (case,) = cases("c", quick=True)
    found = rounds.Match(case, ["copy_xla"], tmp_path / "log").play(1)["competitors"]
    assert found["copy_xla"]["status"] == "unsupported"
    unknown = {k: v for k, v in found["copy_xla"].items() if k not in ("status", "reason", "versions")}
    assert set(unknown.values()) == {None}


def test_a_competitor_that_fails_in_a_round_is_not_asked_again(tmp_path):
    match = rounds.Match(QUICK[0], ["plain_scan"], tmp_path / "log")
    match.figures["plain_scan"]["status"] = "timed"
    reasons = iter([WorkerError("not measured", "out of time."), WorkerError("error", "the process ended")])

    class Dying:
        def ask(self, command):
            raise next(reasons)

    rounds.in_turn({"plain_scan": match._step("plain_scan", Dying())}, 2)
    assert match.figures["plain_scan"]["reason"] == "out of time."


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A folder with the results of two competitors that need no peer."""
    folder = tmp_path_factory.mktemp("measured")
    names = "plain_scan,products_xla"
    arguments = ["--workload", "a", "--input", "dense", "--quick", "--rounds", "3", "--competitors", names]
    assert command.main([*arguments, "--out", str(folder)]) == 0
    return folder


def test_json_has_figures_and_null_for_what_is_unknown(measured):
    results = json.loads((measured / "results.json").read_text())
    found = results["runs"][0]["competitors"]
    assert {f["status"] for f in found.values()} == {"timed"}
    assert all(
        len(f[clock]["all"]) == 3 and f[clock]["median"] > 0 for f in found.values() for clock in ("cpu_s", "wall_s")
    )
    assert found["products_xla"]["parity"]["spikes_that_differ"] is None
    assert found["plain_scan"]["parity"]["spikes_that_differ"] == 0
    assert {"cpu", "cores"} <= results["machine"].keys()
    assert results["versions"]["jax"]


def test_page_and_pictures_are_made_from_the_json_alone(measured, tmp_path):
    text = (measured / "results.json").read_text()
    page.write(json.loads(text), tmp_path)
    assert (tmp_path / "README.md").read_text() == (measured / "README.md").read_text()
    assert (tmp_path / "a-dense.png").stat().st_size > 0


def timed(*seconds):
    spread = rounds.spread(seconds)
    return rounds.UNKNOWN | {"status": "timed", "wall_s": spread, "cpu_s": spread, "parity": dict.fromkeys(PARITY)}


PARITY = ("passes", "spikes_that_differ", "spikes", "entries", "gradient_error")
FAILED = rounds.UNKNOWN | {"status": "failed parity", "reason": "7 of 10 spikes differ"}


@pytest.fixture
def results():
    """Made up: a library that is twice as fast as surgrad fails parity; the machine is slow in the second round."""
    competitors = {"snntorch": FAILED, "spyx": timed(4.0, 40.0, 4.0), "plain_scan": timed(1.0, 10.0, 1.0)}
    competitors |= {"surgrad": timed(2.0, 20.0, 2.0)}
    run = cases("a", (512,))[0].to_json() | {"rounds": 3, "competitors": competitors}
    return {
        "date": "2026-11-28",
        "options": {"rounds": 3, "threads": 2},
        "machine": {"cpu": None, "cores": 2, "system": "Linux", "python": "3.11"},
        "versions": {"torch": None},
        "commit": {"id": None, "changed": None},
        "load": {"before": None, "after": None},
        "runs": [run],
    }


def test_a_ratio_compares_times_of_the_same_round(results):
    assert targets.ratio(results["runs"][0], "surgrad", "spyx", "wall_s") == 0.5


def test_the_fastest_library_is_one_that_was_timed_and_no_baseline(results):
    assert targets.fastest_peer(results["runs"][0], "cpu_s") == "spyx"


def test_a_page_names_what_failed_and_what_is_unknown(results, tmp_path):
    text = page.write(results, tmp_path).read_text()
    assert "| snnTorch | failed parity: 7 of 10 spikes differ |" in text
    assert "2026-11-28, unknown processor, 2 cores" in text
    assert "surgrad / fastest peer | 0.7 × | 0.5 | 0.5 | yes |" in text
    assert "surgrad / surgrad, dense products | 1.03 × | — | — | unknown |" in text


def test_a_missed_target_stands_on_the_page(results, tmp_path):
    results["runs"][0]["competitors"]["surgrad"] = timed(3.9, 39.0, 3.9)
    assert "0.975 | 0.975 | **no** |" in page.write(results, tmp_path).read_text()


@pytest.mark.parametrize("wrong", [["--workload", "z"], ["--rounds", "0"], ["--competitors", "nest"]])
def test_a_wrong_option_is_refused(wrong, capsys):
    with pytest.raises(SystemExit):
        command.options(wrong)
    assert "z" in capsys.readouterr().err or "0" in wrong or "nest" in wrong


def test_the_table_of_the_readme_is_that_of_the_results():
    table = readme_table.table(json.loads(readme_table.RESULTS.read_text()))
    text = (ROOT / "README.md").read_text()
    assert readme_table.written(text, table) == text, "run `python -m benchmarks.readme_table`"


def test_a_table_that_differs_from_its_results_is_noticed():
    results = json.loads(readme_table.RESULTS.read_text())
    for run in results["runs"]:  # the table leaves some out
        run["competitors"]["surgrad"]["cpu_s"]["median"] *= 2
    text = (ROOT / "README.md").read_text()
    assert readme_table.written(text, readme_table.table(results)) != text


@pytest.mark.parametrize(("folder", "module"), [("results", page), ("gpu/results", gpu_page)])
def test_the_page_of_results_is_that_of_their_json(folder, module, tmp_path):
    folder = ROOT / "benchmarks" / folder
    written = module.write(json.loads((folder / "results.json").read_text()), tmp_path)
    assert written.read_text() == (folder / "README.md").read_text(), "write the page again"
    assert {file.name for file in tmp_path.glob("*.png")} == {file.name for file in folder.glob("*.png")}


def test_the_table_names_versions_of_competitors_that_ran_elsewhere(results):
    results["runs"][0]["competitors"]["spyx"]["versions"] = {"spyx": "1.0", "jax": "0.12"}
    results["versions"] |= {"spyx": "1.0", "jax": "0.10"}
    for name in ("plain_scan", "surgrad"):
        results["runs"][0]["competitors"][name]["versions"] = {"jax": "0.10"}
    assert readme_table.table(results).endswith("an unknown processor; spyx 1.0, jax 0.10; Spyx: jax 0.12.")


def test_only_a_run_of_everything_replaces_the_results_that_are_kept():
    assert command.options([]).out == readme_table.RESULTS.parent
    for less in (["--quick"], ["--workload", "a"], ["--sizes", "512"], ["--competitors", "surgrad"]):
        found = command.options(less)
        assert not found.full
        assert found.out != readme_table.RESULTS.parent


def test_a_run_goes_on_where_it_was_interrupted(measured, tmp_path):
    shutil.copytree(measured, tmp_path, dirs_exist_ok=True)
    names = ["--competitors", "plain_scan,products_xla", "--workload", "a", "--input", "dense", "--quick"]
    before = json.loads((tmp_path / "results.json").read_text())["runs"]
    assert command.main([*names, "--rounds", "3", "--resume", "--out", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "results.json").read_text())["runs"] == before
    with pytest.raises(SystemExit, match="another options"):
        command.main([*names, "--rounds", "4", "--resume", "--out", str(tmp_path)])


def test_some_cases_are_measured_again_and_the_page_names_the_commit_of_the_others(measured, tmp_path):
    shutil.copytree(measured, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "results.json"
    before = json.loads(file.read_text())
    now, before["commit"]["id"] = before["commit"]["id"], "an older one"
    for run in before["runs"]:
        del run["commit"]
    file.write_text(json.dumps(before))
    again = ["--competitors", "plain_scan,products_xla", "--workload", "a", "--input", "dense", "--quick"]
    again += ["--rounds", "3", "--out", str(tmp_path), "--again"]
    assert command.main([*again, "b"]) == 0
    kept = json.loads(file.read_text())
    assert kept["runs"] == [{"commit": "an older one", **run} for run in before["runs"]]
    assert "Measured at commit an older one." in (tmp_path / "README.md").read_text()
    assert command.main([*again, "a:32"]) == 0
    assert [run["commit"] for run in json.loads(file.read_text())["runs"]] == [now]
    assert "Measured at commit" not in (tmp_path / "README.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("case", QUICK, ids=lambda case: case.name)
def test_all_peers_agree_with_the_reference(case, tmp_path):
    for name in ("torch", "snntorch", "spikingjelly", "norse", "spyx", "brainpy", "jaxpike"):
        pytest.importorskip(name)
    names = entered(case)
    pythons = environments.pythons(names)
    found = rounds.Match(case, names, tmp_path / "log", pythons).play(2)["competitors"]
    cannot = {name: figures["reason"] for name, figures in found.items() if figures["status"] != "timed"}
    unsupported = {name for name in names if case.architecture not in COMPETITORS[name].architectures}
    elsewhere = {name for name in pythons if found[name]["status"] == "not installed"}
    assert cannot.keys() == unsupported | elsewhere, cannot


def test_the_table_of_processes_is_that_of_its_runs_and_shows_no_mistake():
    place = ROOT / "benchmarks" / "data_parallel.json"
    found = json.loads(place.read_text())
    assert place.with_suffix(".md").read_text() == data_parallel.page(found)
    assert [(row["processes"], row["dtype"]) for row in found["table"]] == data_parallel.WAYS
    assert all(row["bitwise again"] for row in found["table"])
    assert all(row["first loss"] < 1e-6 for row in found["table"])
    assert all(row["weights"] < 1e-12 for row in found["table"] if row["dtype"] == "float64")
