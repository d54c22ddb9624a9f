"""A real Slurm: the workers of a study as jobs, and a step that trains one network, each disturbed as clusters do it."""

import os
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.slow
for package in ("optax", "optuna", "orbax.checkpoint", "matplotlib", "rich", "sqlalchemy", "statsmodels", "submitit"):
    pytest.importorskip(package)

import slurm  # noqa: E402
import test_study_workers as studies  # noqa: E402
import test_train_processes as trainings  # noqa: E402
from studies import address  # noqa: E402
from surgrad.cli import main  # noqa: E402

TWO = "--workers", "2", "--heartbeat", "1"


@pytest.fixture(scope="module")
def cluster():
    with slurm.running() as one:
        yield one


@pytest.fixture
def here(tmp_path, cluster, monkeypatch):
    """A folder, in which commands find the cluster."""
    monkeypatch.chdir(tmp_path)
    for name, value in (cluster.environment | {"XLA_FLAGS": ""}).items():
        monkeypatch.setenv(name, value)
    return tmp_path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A study, and the address of its rows, which one process has trained."""
    folder = tmp_path_factory.mktemp("undisturbed")
    one = studies.written(folder)
    studies.run(folder, address(folder))
    return one, address(folder)


def wait_for(happens, process):
    while not (found := happens()):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.1)
    return found


def test_jobs_share_a_study(here, cluster, undisturbed):
    studies.written(here)
    _, err = studies.run(here, address(here), *TWO, "--slurm", "timeout_min=10")
    assert err.count("; its output is in results/jobs\n") == 2
    assert "accounting" not in err  # it is what submitit would ask for
    studies.require_same(undisturbed[0], address(here), undisturbed[1])


def test_a_job_that_waits_is_not_waited_for_when_no_run_is_missing(here, cluster, undisturbed):
    studies.written(here)
    process = studies.started(here, address(here), *TWO, "--slurm", "timeout_min=10,cpus_per_task=2")
    _, second = wait_for(lambda: (found := sorted(map(int, cluster.jobs())))[1:] and found, process)
    cluster.run("scontrol", "hold", str(second))  # it waits, since the first has both processors
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert f"job {second} waits; Slurm's reason: " in err
    studies.require_same(undisturbed[0], address(here), undisturbed[1])
    assert str(second) not in cluster.jobs()


def test_jobs_that_are_killed_are_replaced_once_runs_have_finished(here, cluster, undisturbed):
    one = studies.written(here)
    process = studies.started(here, address(here), *TWO, "--slurm", "timeout_min=10")
    first, second = wait_for(lambda: (found := sorted(cluster.jobs(), key=int))[1:] and found, process)
    cluster.run("scancel", "--full", "--signal=KILL", first)
    wait_for(lambda: studies.rows_in(one, address(here)), process)
    cluster.run("scancel", "--full", "--signal=KILL", second)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    print(err)
    assert ": worker 2; its output is in results/jobs" in err
    # The first may be missed only after the second has finished a run, on a fast machine; then it is sent again too.
    missed = err.count(f"job {first} was ended before a run had finished, and is not sent again; it may need more time")
    assert missed + err.count("; its output is in results/jobs") == 4
    studies.require_same(one, address(here), undisturbed[1])


def test_a_command_that_is_interrupted_cancels_its_jobs(here, cluster):
    studies.written(here)
    process = studies.started(here, address(here), *TWO, "--slurm", "timeout_min=10")
    wait_for(lambda: cluster.jobs()[1:], process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT
    assert "the same command goes on with the others" in err
    end = time.monotonic() + 60
    while cluster.jobs():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_jobs_without_time_end_the_command(here):
    # submitit ends a job 90 seconds before its time is over; no run must end within those that Slurm takes to say so.
    studies.written(here, epochs=20_000)
    process = studies.started(here, address(here), *TWO, "--slurm", "timeout_min=1")
    _, err = process.communicate(timeout=300)
    assert process.returncode == 2
    print(err)
    assert err.count("was ended before a run had finished, and is not sent again") == 2
    assert err.endswith("surgrad study: the workers ended before the study; the lines above say why.\n")


FAILING = """
import os
from surgrad import train

def network(surrogate, data, *, key, **sizes):
    if "SLURM_JOB_ID" in os.environ:
        raise RuntimeError("there is no such thing on the node")
    return train.classifier(surrogate, data, key=key, **sizes)
"""


def test_the_error_of_a_job_is_told_and_it_is_not_sent_again(here):
    studies.written(here)
    (here / "theirs.py").write_text(FAILING)
    text = (here / "shared.toml").read_text().replace("hidden = 4", 'hidden = 4, build = "theirs:network"')
    (here / "shared.toml").write_text(text)
    process = studies.started(here, address(here), *TWO, "--slurm", "timeout_min=10")
    _, err = process.communicate(timeout=300)
    assert process.returncode == 2, err
    assert err.count("failed: surgrad study: there is no such thing on the node\n") == 2, err
    assert err.count("; its output is in results/jobs") == 2


MISTAKES = {
    "slurm_partition=nowhere": "sbatch has refused a job: invalid partition specified: nowhere; Batch job submission",
    "gpus_per_node=1": "sbatch has refused a job: Invalid generic resource (gres) specification",
    "mem_gb=4000.5": "sbatch has refused a job: Memory specification can not be satisfied",
    "timeout_min=soon": 'Parameter "timeout_min" expected type <class \'int\'> (but value: "soon")',
    "tasks_per_node=2": "a worker is a job with one task, so tasks_per_node cannot be given; see --workers",
    "slurm_nodes=2": "a worker is a job with one task, so slurm_nodes cannot be given; see --workers",
    "slurm_partitoin=main": "Unknown argument 'partitoin' for executor 'slurm' in parameter 'slurm_partitoin'",
}


@pytest.mark.parametrize(("options", "said"), MISTAKES.items(), ids=MISTAKES.keys())
def test_what_slurm_refuses_is_told_before_any_training(here, cluster, capsys, options, said):
    one = studies.written(here)
    assert main(["study", "shared.toml", "--database", address(here), *TWO, "--slurm", options]) == 2
    assert said in capsys.readouterr().err
    assert not cluster.jobs()
    assert not studies.rows_in(one, address(here))


def test_slurm_without_its_commands_is_told(here, capsys, monkeypatch):
    (here / "bin").mkdir()
    (here / "bin" / "srun").symlink_to(slurm.program("srun"))
    monkeypatch.setenv("PATH", str(here / "bin"))
    studies.written(here)
    assert main(["study", "shared.toml", *TWO, "--slurm"]) == 2
    assert "there is srun here, but no sbatch and no squeue and no scancel on PATH" in capsys.readouterr().err


def test_an_array_of_ones_own_shares_a_study(here, cluster, undisturbed):
    one = studies.written(here)
    worker = f"{sys.executable} -m surgrad study shared.toml --workers 2 --heartbeat 1 --worker $SLURM_ARRAY_TASK_ID"
    cluster.run("sbatch", "--wait", "--array=0-1", "--wrap", f"{worker} --database {address(here)}", timeout=300)
    studies.require_same(one, address(here), undisturbed[1])


@pytest.mark.parametrize(
    ("options", "megabytes"), [(("--mem=100",), 100), (("--mem-per-cpu=60", "--cpus-per-task=2"), 120), ((), 700)]
)
def test_a_program_may_take_half_of_the_memory_of_its_job(here, cluster, options, megabytes):
    asked = "from surgrad.study._programs import free_memory; print(free_memory())"
    job = f'srun {sys.executable} -c "{asked}"'
    cluster.run("sbatch", "--wait", "--output=told", *options, "--wrap", job)  # srun alone does not tell the memory
    assert float((here / "told").read_text()) == megabytes * 2**20 / 2


TRAIN = f"{sys.executable} -m surgrad train run.toml --out"


def test_a_step_trains_as_processes_do_and_a_job_that_is_requeued_goes_on(here, cluster):
    (here / "run.toml").write_text(trainings.TASK.format(epochs=30))
    step = "srun --ntasks=2 --kill-on-bad-exit=1"
    cluster.run(*step.split(), *TRAIN.split(), "step", timeout=300)
    trainings.run(here, "run.toml", "--processes", "2", "--out", "processes")
    trainings.assert_same(here / "step", here / "processes")

    job = cluster.run("sbatch", "--parsable", "--ntasks=2", "--requeue", "--wrap", f"{step} {TRAIN} requeued").strip()
    end = time.monotonic() + 300
    while not trainings.has_rows(here / "requeued", 3):
        assert time.monotonic() < end and cluster.jobs()
        time.sleep(0.05)
    cluster.run("scontrol", "requeue", job)
    print(cluster.run("squeue", "-o", "%i %T %r %S"), (here / "requeued" / "seed-0" / "metrics.csv").read_text())
    while cluster.jobs():
        assert time.monotonic() < end
        time.sleep(0.5)
    trainings.assert_same(here / "requeued", here / "step")


def test_a_task_that_is_killed_ends_its_step_and_the_next_one_goes_on(here, cluster):
    (here / "run.toml").write_text(trainings.TASK.format(epochs=100))
    command = "srun", "--ntasks=2", "--kill-on-bad-exit=1", *TRAIN.split()
    process = subprocess.Popen((*command, "killed"), stderr=subprocess.PIPE, text=True)
    wait_for(lambda: trainings.has_rows(here / "killed", 3), process)
    tasks = [line.split() for line in cluster.run("scontrol", "listpids", *cluster.jobs()).splitlines()]
    (pid,) = [pid for pid, _, _, local, _ in tasks if local == "1"]
    os.kill(int(pid), signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGKILL
    assert "Killed" in err
    before = (here / "killed" / "seed-0" / "metrics.csv").read_text()
    assert before.count("\n") < 101
    cluster.run(*command, "killed", timeout=300)
    cluster.run(*command, "undisturbed", timeout=300)
    trainings.assert_same(here / "killed", here / "undisturbed")
