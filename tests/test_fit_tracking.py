"""Trackers of `train.fit`: a table, TensorBoard, and one of a user."""

import csv

import numpy as np
import pytest

pytestmark = pytest.mark.promotes("Optax does")

pytest.importorskip("optax")
train = pytest.importorskip("surgrad.train")

import fit_runs as runs  # noqa: E402

ROWS = [(3, {"loss": 0.1 + 0.2, "accuracy": 1.0}), (6, {"loss": float("nan"), "accuracy": 0.5})]


def written(tracker, rows, start=0):
    tracker.start(start)
    for step, values in rows:
        tracker.log(step, values)
    tracker.close()


def read(path):
    with path.open(newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def test_a_table_has_all_digits(tmp_path):
    written(train.CSV(tmp_path / "new" / "m.csv"), ROWS)
    first, second = read(tmp_path / "new" / "m.csv")
    assert first == {"step": 3, "loss": 0.1 + 0.2, "accuracy": 1.0}
    assert np.isnan(second["loss"])


def test_a_table_goes_on_without_a_row_twice(tmp_path):
    table = tmp_path / "m.csv"
    written(train.CSV(table), ROWS)
    whole = table.read_text()
    table.write_text(whole + "9,0.2")  # killed in the middle of a row
    written(train.CSV(table), ROWS[1:], start=3)
    assert table.read_text() == whole
    written(train.CSV(table), ROWS)
    assert table.read_text() == whole
    table.write_text("ste")
    written(train.CSV(table), ROWS)
    assert table.read_text() == whole


def test_a_table_with_other_columns_is_refused(tmp_path):
    written(train.CSV(tmp_path / "m.csv"), ROWS)
    with pytest.raises(ValueError, match=r"has the columns \['step', 'loss', 'accuracy'\], not \['step', 'loss'\]"):
        written(train.CSV(tmp_path / "m.csv"), [(9, {"loss": 1.0})], start=6)


def test_tensorboard_has_the_numbers_of_each_epoch(tmp_path):
    pytest.importorskip("tensorboardX")
    from tensorboardX.proto.event_pb2 import Event

    written(train.TensorBoard(tmp_path), ROWS[:1])
    written(train.TensorBoard(tmp_path), ROWS[1:], start=3)
    found, purged = {}, []
    for file in sorted(tmp_path.glob("events*")):
        data = file.read_bytes()
        while data:  # records: length (8 bytes), checksum (4), content, checksum (4)
            length = int.from_bytes(data[:8], "little")
            event, data = Event.FromString(data[12 : 12 + length]), data[16 + length :]
            if event.HasField("session_log"):
                purged.append(event.step)
            for value in event.summary.value:
                found[event.step, value.tag] = value.simple_value
    assert found[3, "accuracy"] == 1.0
    assert found[6, "accuracy"] == 0.5
    np.testing.assert_allclose(found[3, "loss"], 0.3, rtol=1e-6)
    assert purged == [1, 4]


class Kept:
    """A tracker of a user."""

    def __init__(self):
        self.calls = []

    def start(self, step):
        self.calls.append(("start", step))

    def log(self, step, values):
        self.calls.append((step, sorted(values)))

    def close(self):
        self.calls.append("close")


def test_a_tracker_of_a_user_is_told_all_and_closed_after_an_error(tmp_path):
    names = ["accuracy", "epoch", "loss", "validation_loss"]
    kept, stopped = Kept(), Kept()
    runs.run("feed-forward", epochs=2, track=[kept, train.CSV(tmp_path / "m.csv")])
    assert kept.calls == [("start", 0), (3, names), (6, names), "close"]

    def stop(event):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        runs.run("feed-forward", track=stopped, callbacks=[stop])
    assert stopped.calls == [("start", 0), (3, names), "close"]


def test_a_resumed_run_starts_its_trackers_behind_the_last_epoch(tmp_path):
    pytest.importorskip("orbax.checkpoint")
    runs.run("feed-forward", tmp_path, epochs=2)
    kept = Kept()
    runs.run("feed-forward", tmp_path, epochs=3, track=kept)
    assert [call[0] for call in kept.calls] == ["start", 9, "c"]
    assert kept.calls[0] == ("start", 6)


@pytest.mark.filterwarnings("ignore")  # of packages of others
def test_weights_and_biases_gets_each_step_once(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_SILENT", "true")
    with wandb.init(project="test", mode="offline", dir=tmp_path) as run:
        written(train.WandB(run), ROWS[:1])
        written(train.WandB(run), [(6, {"loss": 0.25, "accuracy": 0.5})])
        written(train.WandB(run), [(3, {"loss": 9.0, "accuracy": 9.0}), (9, {"loss": 0.125, "accuracy": 1.0})])
        run.log({"loss": 0.0}, step=10)
        assert run.summary["loss"] == 0.125
        assert run.summary["_step"] == 9


@pytest.mark.filterwarnings("ignore")  # of packages of others
def test_mlflow_gets_each_step_once(tmp_path):
    mlflow = pytest.importorskip("mlflow")
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/runs.db")
    run = client.create_run(client.create_experiment("test")).info.run_id
    written(train.MLflow(client, run), ROWS[:1])
    written(train.MLflow(client, run), ROWS)
    assert [(one.step, one.value) for one in client.get_metric_history(run, "accuracy")] == [(3, 1.0), (6, 0.5)]
