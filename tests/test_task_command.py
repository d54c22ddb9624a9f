"""Tasks in studies and on the command line: their options, and mistakes in them."""

import pytest

for package in ("optax", "rich", "matplotlib", "sklearn"):
    pytest.importorskip(package)

from surgrad import study, tasks  # noqa: E402
from surgrad.cli import _specs as specs  # noqa: E402
from surgrad.cli import main  # noqa: E402
from surgrad.cli._usage import UsageError  # noqa: E402


def test_options_of_a_task_are_numbers_or_words():
    assert specs.task("digits") == ("digits", ())
    assert specs.task("digits:steps=9,code=rate,test_share=.5") == (
        "digits",
        (("steps", 9), ("code", "rate"), ("test_share", 0.5)),
    )


@pytest.mark.parametrize("text", ["digits:", "digits:9", "digits:=9", "digits:steps=9,"])
def test_what_cannot_be_read_is_an_error_that_shows_the_form(text):
    with pytest.raises(UsageError, match=f"cannot read '{text}' as a task; write NAME or NAME:OPTION=VALUE"):
        specs.task(text)


def test_options_of_a_study_go_before_its_steps_and_its_seed():
    settings = study.Settings(data="manifolds", steps=9, split_seed=3, options=(("samples", 20), ("seed", 4)))
    assert study.load(settings) == tasks.manifolds(steps=9, samples=20, seed=4)


@pytest.mark.parametrize("data", ["temporal_xor", "delayed_memory", "manifolds", "digits"])
def test_every_task_that_needs_no_files_suits_the_settings_of_a_study(data):
    options = () if data == "digits" else (("samples", 50),)
    split = study.load(study.Settings(data=data, options=options))
    assert split.train.spikes().shape[0] == study.Settings.steps


MISTAKES = {
    "digits:code=phase": "code must be one of 'latency', 'rate', 'intensity', got 'phase'",
    "digits:cod=rate": "digits has no option 'cod'; it has steps, code",
    "temporal_xor:steps=9": "two cues need steps >= 2 cue + gap = 15, got 9",
    "mnist": "mnist needs the option 'path'",
    "fashion_mnist:path=nowhere": "apt-get install dataset-fashion-mnist",
    "manifolds:samples=2": "a study needs at least 64 training samples (one batch) and one test sample, got 16 and 4",
    "digits:steps=a": "digits: steps must be an integer >= 1, got 'a'",
    "digits:test_share=1": "digits: test_share must be 0 to below 1, got 1",
    "digits:test_share=half": "digits: test_share must be a number, got 'half'",
    "manifolds:alpha=x": "manifolds: alpha must be a number, got 'x'",
    "temporal_xor:noise=2": "temporal_xor: noise must be 0 to 1, got 2",
    "delayed_memory:seed=-1": "delayed_memory: seed must be an integer >= 0, got -1",
    "digits:test_share=0": "one test sample, got 1797 and 0",
}


@pytest.mark.parametrize(("data", "said"), MISTAKES.items(), ids=MISTAKES.keys())
@pytest.mark.unchecked("wrong types on purpose")
def test_a_mistake_in_the_data_costs_one_line_and_no_training(data, said, tmp_path, capsys):
    assert main(["compare", "--data", data, "--out", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert said in printed.err
    assert not (tmp_path / "out").exists()


def test_a_command_trains_on_the_task_that_it_names(tmp_path, monkeypatch):
    begun = []
    monkeypatch.setattr(study.Study, "run", lambda one, database, **options: begun.append(one) or [])
    main(["compare", "--data", "delayed_memory:samples=40,noise=0,steps=15", "--seed", "7", "--out", str(tmp_path)])
    ((settings,),) = [one.grid for one in begun]
    assert (settings.data, settings.options) == ("delayed_memory", (("samples", 40), ("noise", 0), ("steps", 15)))
    assert study.load(settings) == tasks.delayed_memory(samples=40, noise=0, steps=15, seed=7)
