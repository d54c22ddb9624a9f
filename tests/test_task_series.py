"""Series of different lengths: data sets of them, files of the format `.ts`, and JapaneseVowels."""

import importlib.util
import re
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from surgrad import nn, tasks

installed = pytest.mark.skipif(importlib.util.find_spec("aeon") is None, reason="pip install --no-deps aeon")
SERIES = [np.arange(6.0).reshape(3, 2), np.arange(10.0).reshape(5, 2) - 20, np.full((1, 2), 7.0)]
LABELS = [1, 0, 1]
DATA = tasks.SeriesDataset.padded(SERIES, LABELS, 2)


def test_series_are_padded_behind_their_ends_and_time_leads():
    assert DATA.values.shape == (5, 3, 2)
    assert (len(DATA), DATA.steps, DATA.channels, DATA.classes) == (3, 5, 2, 2)
    np.testing.assert_array_equal(DATA.lengths, [3, 5, 1])
    for sample, one in enumerate(SERIES):
        np.testing.assert_array_equal(DATA.values[: len(one), sample], one)
        assert not DATA.values[len(one) :, sample].any()


def test_series_are_taken_in_the_order_that_is_asked_for_also_by_a_compiled_function():
    for some in (DATA[np.array([2, 0])], jax.jit(lambda data, i: data[i])(DATA, jnp.array([2, 0]))):
        np.testing.assert_array_equal(some.values, DATA.values[:, [2, 0]])
        np.testing.assert_array_equal(some.lengths, [1, 3])
        np.testing.assert_array_equal(some.labels, [1, 1])
    _, lengths = jax.lax.scan(lambda _, i: (None, DATA[i].lengths), None, jnp.array([[0, 1], [2, 0]]))
    np.testing.assert_array_equal(lengths, [[3, 5], [1, 3]])


def test_a_network_sees_each_series_at_its_own_length():
    outputs = nn.unroll(nn.MeanOverTime(), DATA.values, lengths=DATA.lengths, keep="last").outputs
    np.testing.assert_allclose(outputs, [one.mean(0) for one in SERIES], rtol=1e-6)


def test_what_lies_behind_the_end_of_a_series_may_be_anything():
    values = DATA.values.at[4, 0].set(jnp.nan)
    assert tasks.SeriesDataset(values, DATA.lengths, DATA.labels, 2).steps == 5


def data_set(values=DATA.values, lengths=DATA.lengths, labels=DATA.labels, classes=2):
    return tasks.SeriesDataset(values, lengths, labels, classes)


MISFITS = {
    "values must be floating numbers, got int32": {"values": jnp.zeros((5, 3, 2), jnp.int32)},
    "lengths must be integers, got float32": {"lengths": jnp.ones(3)},
    "labels must be integers, got float32": {"labels": jnp.ones(3)},
    "lengths must be 1 to 5, the number of time steps, got 0 for sample 1": {"lengths": jnp.array([3, 0, 1])},
    "lengths must be 1 to 5, the number of time steps, got 6 for sample 2": {"lengths": jnp.array([3, 5, 6])},
    "lengths must be 1 to 5, the number of time steps, got -1 for sample 0": {"lengths": jnp.array([-1, 5, 1])},
    "labels must be 0 to 1, for 2 classes, got 0 to 2": {"labels": jnp.array([0, 2, 1])},
    r"lengths \(samples,\) and labels \(samples,\), got shapes \(5, 3, 2\) and \(2,\) and \(3,\)": {"lengths": jnp.array([3, 5])},
    "values must be finite, got nan at time step 2 of channel 1 of sample 0": {"values": DATA.values.at[2, 0, 1].set(jnp.nan)},
    "values must be finite, got inf at time step 4 of channel 0 of sample 1": {"values": DATA.values.at[4, 1, 0].set(jnp.inf)},
    "classes must be an integer >= 1, got 0": {"classes": 0},
}  # fmt: skip


@pytest.mark.unchecked("wrong types on purpose")
@pytest.mark.parametrize("said", MISFITS)
def test_what_does_not_fit_is_no_data_set(said):
    with pytest.raises((TypeError, ValueError), match=f"SeriesDataset: .*{said}"):
        data_set(**MISFITS[said])


@pytest.mark.parametrize(
    ("series", "steps", "said"),
    [
        ([], None, "there must be at least one series, got none"),
        ([np.ones((3, 2)), np.ones((0, 2))], None, r"series 1 must be \(time >= 1, 2\), got the shape \(0, 2\)"),
        ([np.ones((3, 2)), np.ones((3, 1))], None, r"series 1 must be \(time >= 1, 2\), got the shape \(3, 1\)"),
        ([np.ones(3)], None, r"series 0 must be \(time >= 1, channels\), got the shape \(3,\)"),
        ([np.ones((3, 2))], 2, "steps must be an integer >= 3, got 2"),
    ],
    ids=["none", "an empty one", "other channels", "no channels", "too few steps"],
)
def test_a_list_that_is_no_data_set_is_refused_by_the_number_of_the_series(series, steps, said):
    with pytest.raises(ValueError, match=f"SeriesDataset: {said}"):
        tasks.SeriesDataset.padded(series, [0] * len(series), 1, steps=steps)


def test_a_data_set_is_made_inside_a_compiled_function():
    made = jax.jit(lambda values, lengths: data_set(values, lengths)[jnp.array([1])].lengths)(DATA.values, DATA.lengths)
    np.testing.assert_array_equal(made, [5])


HEADER = """# a comment
%another one
@problemName Two Words
@timeStamps false
@missing false
@univariate false
@dimensions 2
@equalLength false
@classLabel true b a

@data
"""
LINES = "0,2,4:1,3,5:a\n-20,-18,-16,-14,-12:-19,-17,-15,-13,-11:b\n# between\n7:7:a\n"


def file_of(folder, text, name="x.ts"):
    (folder / name).write_text(text)
    return folder / name


def test_what_was_written_is_read(tmp_path):
    assert tasks.read_ts(file_of(tmp_path, HEADER + LINES)) == DATA
    assert tasks.read_ts(str(file_of(tmp_path, HEADER.upper().replace("B A", "b a") + LINES))) == DATA
    assert tasks.read_ts(tmp_path / "x.ts", steps=9).values.shape == (9, 3, 2)


def test_series_of_one_channel_and_of_equal_length_are_read(tmp_path):
    head = "@univariate true\n@equalLength true\n@seriesLength 3\n@classLabel true no yes\n@data\n"
    data = tasks.read_ts(file_of(tmp_path, head + "1, 2.5,3e0:yes\n-1,-2,-3:no"))
    np.testing.assert_array_equal(data.values[:, :, 0], [[1, -1], [2.5, -2], [3, -3]])
    np.testing.assert_array_equal(data.labels, [1, 0])


def broken(old, new, where=HEADER):
    return (HEADER + LINES).replace(old, new) if where is HEADER else where


BROKEN = {
    "line 12: the class must be one of b, a, got 'c'": broken("5:a", "5:c"),
    "line 12: there must be 2 channels, separated by colons, got 1": broken("0,2,4:1,3,5:a", "0,2,4:a"),
    "line 12, channel 1: there must be 3 values, as channel 0 has, got 2": broken("1,3,5", "1,3"),
    "line 12, channel 1: value 2 is missing": broken("1,3,5", "1,3,?"),
    "line 13, channel 0: value 1 is missing": broken("-20,-18", "-20,"),
    "line 15, channel 0: value 0 must be finite, got nan": broken("\n7:7", "\nnan:7"),
    "line 15, channel 1: value 0 must be finite, got 1e999": broken("7:7", "7:1e999"),
    "line 12, channel 0: value 0 must be a number, got 'x'": broken("0,2,4", "x,2,4"),
    r"line 12, channel 0: value 0 must be a number, got '\(1999-01-01'": broken("0,2,4", "(1999-01-01, 4)"),
    "line 8: @equalLength must be true or false, got 'maybe'": broken("@equalLength false", "@equalLength maybe"),
    "line 7: @dimensions must be an integer >= 1, got '0'": broken("@dimensions 2", "@dimensions 0"),
    "line 7: @dimension must be an integer >= 1, got 'two'": broken("@dimensions 2", "@dimension two"),
    "line 9: @classLabel true must name each class once, got 'b b'": broken("true b a", "true b b"),
    "line 9: @classLabel true must name each class once, got ''": broken("true b a", "true"),
    "line 7: @dimensoins is not a name of the format .ts": broken("@dimensions", "@dimensoins"),
    "line 11: the header must be lines '@name value' up to '@data', got '0,2,4:1,3,5:a'": broken("@data\n", ""),
    "there is no line '@data', behind which the series stand; is it a .ts file?": "@univariate true\n",
    "there is no series behind @data; the file may be cut off": HEADER,
    "series with time stamps are not read": broken("@timeStamps false", "@timeStamps true"),
    "the header must name the classes, .* it has no classes": broken("@classLabel true b a", "@classLabel false"),
    "the header must name the classes, .* it has numbers to predict": broken(
        "@classLabel true b a", "@targetLabel true"
    ),
    "line 13, channel 0: there must be 3 values, as all have, got 5": broken("@equalLength false", "@equalLength true"),
    "line 12, channel 0: there must be 4 values, as all have, got 3": broken(
        "@equalLength false", "@equalLength true\n@seriesLength 4"
    ).replace("# a comment\n", ""),
}


@pytest.mark.parametrize("said", BROKEN)
def test_a_broken_file_is_named_with_the_line_and_what_is_wrong(said, tmp_path):
    file = file_of(tmp_path, BROKEN[said])
    with pytest.raises(ValueError, match=f"{re.escape(str(file))}[:,] {said}"):
        tasks.read_ts(file)


def test_a_file_that_is_no_text_or_missing_is_named(tmp_path):
    (tmp_path / "x.ts").write_bytes(b"@data\n\xff\xfe")
    with pytest.raises(ValueError, match=r"x\.ts: is not a text file"):
        tasks.read_ts(tmp_path / "x.ts")
    with pytest.raises(FileNotFoundError, match=r"none\.ts"):
        tasks.read_ts(tmp_path / "none.ts")


def test_series_longer_than_the_steps_are_refused(tmp_path):
    with pytest.raises(ValueError, match="steps must be an integer >= 5, got 4"):
        tasks.read_ts(file_of(tmp_path, HEADER + LINES), steps=4)


def test_recordings_of_a_folder_are_read(tmp_path):
    for part in ("TRAIN", "TEST"):
        file_of(tmp_path, HEADER + LINES, f"JapaneseVowels_{part}.ts")
    train, test = tasks.japanese_vowels(tmp_path)
    assert train == test
    assert train.values.shape == (29, 3, 2)


def test_missing_recordings_are_named_with_where_to_get_them(tmp_path, monkeypatch):
    file_of(tmp_path, HEADER + LINES, "JapaneseVowels_TRAIN.ts")
    with pytest.raises(FileNotFoundError, match=r"no JapaneseVowels_TEST\.ts: it is not in .*--no-deps aeon; or take"):
        tasks.japanese_vowels(tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        FileNotFoundError, match=r"no JapaneseVowels_TRAIN\.ts: the package aeon, which carries it, is not"
    ):
        tasks.japanese_vowels()


@installed
def test_japanese_vowels_has_30_recordings_of_each_of_9_speakers_to_train_on():
    train, test = tasks.japanese_vowels()
    assert "aeon" not in sys.modules
    assert (len(train), len(test), train.channels, train.classes, train.steps) == (270, 370, 12, 9, 29)
    np.testing.assert_array_equal(np.bincount(train.labels), [30] * 9)
    # The numbers of recordings of each speaker, and the lengths, as the authors' description of the data has them.
    np.testing.assert_array_equal(np.bincount(test.labels), [31, 35, 88, 44, 29, 24, 40, 50, 29])
    lengths = np.concatenate([train.lengths, test.lengths])
    assert (lengths.min(), lengths.max()) == (7, 29)
    np.testing.assert_allclose(train.values[:2, 0, :2], [[1.860936, -0.207383], [1.891651, -0.193249]])


@installed
def test_speakers_are_told_apart_by_the_means_of_their_recordings():
    neighbours = pytest.importorskip("sklearn.neighbors")
    split = tasks.japanese_vowels()
    means = [np.asarray(part.values).sum(0) / np.asarray(part.lengths)[:, None] for part in split]
    nearest = neighbours.KNeighborsClassifier(1).fit(means[0], split.train.labels)
    assert nearest.score(means[1], split.test.labels) > 0.9
