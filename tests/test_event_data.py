"""Events in memory: binned as histograms count them, augmented and shuffled by key, in batches made ahead in a thread."""

import gc
import subprocess
import sys
import threading
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from surgrad import events, nn
from surgrad.events import EventDataset, Events, batches, bin_events, from_arrays

KEY = jax.random.key(0)


def recordings(count=12, units=20, longest=0.3, seed=0):
    """Recordings of different lengths, with times in seconds that are whole microseconds."""
    random = np.random.default_rng(seed)
    times = [np.sort(random.integers(0, int(1e6 * longest * (i + 1) / count), 40 + i)) for i in range(count)]
    return from_arrays(
        times, [random.integers(0, units, len(t)) for t in times], np.arange(count) % 3, num_units=units, time_unit="us"
    )


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "surgrad-batches"]


# Recordings


def test_times_are_kept_in_whole_microseconds_of_any_unit():
    for times, unit in (([0.0015, 0.57], None), ([1.5, 570.0], "ms"), ([1500, 570_000], "us")):
        np.testing.assert_array_equal(Events(times, [0, 1], time_unit=unit).times, [1500, 570_000])
    recording = Events(np.array([0.5, 1.25], np.float16), [0, 1], 3)  # a product in float16 would overflow
    np.testing.assert_array_equal(recording.times, [500_000, 1_250_000])
    np.testing.assert_array_equal(recording.seconds, [0.5, 1.25])
    assert (recording.duration, len(recording), repr(recording)) == (1.25, 2, "<2 events in 1.25 s, label=3>")


@pytest.mark.parametrize(
    ("times", "units", "options", "said"),
    [
        ([0.1, 0.2], [0, 2**40], {}, "units must be from 0 to 2147483647, and event 1 has unit 1099511627776"),
        (
            [0.1, 0.3, 0.2],
            [0, 1, 2],
            {},
            r"event 2, at 0\.2, is before event 1, at 0\.3; sort them: order = np\.argsort",
        ),
        ([0.1, np.nan], [0, 1], {}, "times must be finite, in s, and event 1 is at nan"),
        ([0.1, np.inf], [0, 1], {}, "times must be finite, in s, and event 1 is at inf"),
        ([-0.1, 0.2], [0, 1], {}, r"times must be >= 0, in s, and event 0 is at -0\.1"),
        ([0.1, 1e300], [0, 1], {}, r"times must be below .*, in s, and event 1 is at 1e\+300"),
        ([1, 2], [0, 1], {}, "times are integers, whose unit is not known; say time_unit='us'"),
        ([0.1, 0.2], [0, -1], {}, "units must be >= 0, and event 1 has unit -1"),
        ([0.1, 0.2], [0, 7], {"num_units": 7}, "units must be from 0 to 6, and event 1 has unit 7"),
        ([0.1, 0.2], [0.0, 1.5], {}, r"units must be integers, got float64; units\.astype\(int\)"),
        (["a", "b"], [0, 1], {}, "times must be real numbers"),
        ([0.1, 0.2], [0], {}, r"of one length, got the shapes \(2,\) and \(1,\)"),
        ([[0.1]], [[0]], {}, r"must be arrays \(events,\) of one length"),
        ([0.1], [0], {"time_unit": "ns"}, "time_unit must be one of 's', 'ms', 'us', got 'ns'"),
        ([0.1], [0], {"label": -1}, "label must be an integer >= 0, got -1"),
    ],
)
@pytest.mark.unchecked("wrong values are handed over on purpose")
def test_a_broken_recording_is_refused_with_the_event_named(times, units, options, said):
    with pytest.raises((TypeError, ValueError), match=said):
        Events(times, units, source="sample 3 of x.h5", **options)
    if not options.keys() & {"label", "time_unit"}:
        with pytest.raises((TypeError, ValueError), match=f"sample 1: .*{said}"):
            from_arrays([[0.1], times], [[0], units], **options)


@pytest.mark.unchecked("an array with fields is handed over on purpose")
@pytest.mark.parametrize(
    ("fields", "units"), [("txyp", [2 * (34 * 3 + 7) + 1, 2 * 33]), ("xyt", [34 * 3 + 7, 33]), ("txp", [7, 33])]
)
def test_arrays_with_fields_are_answered_by_how_to_convert_them(fields, units):
    kinds = {"t": np.int64, "x": np.int16, "y": np.int16, "p": bool}
    e = np.array([(5, 7, 3, True), (9, 33, 0, False)], [(name, kinds[name]) for name in "txyp"])[list(fields)]
    with pytest.raises(TypeError, match=r"give times and units, arrays .* of an array e with the fields") as caught:
        Events(e)
    advice = str(caught.value).partition(": Events(")[2].rstrip(".")
    made = eval(f"Events({advice}", {"Events": Events, "np": np, "e": e, "height": 34, "width": 34})
    np.testing.assert_array_equal(made.times, [5, 9])
    np.testing.assert_array_equal(made.units, units)
    with pytest.raises(TypeError, match="take them out of its fields a, b"):
        Events(np.zeros(2, "f4,f4").astype([("a", "f4"), ("b", "f4")]))
    with pytest.raises(TypeError, match=r"of one length\.$"):
        Events([0.1])


def test_an_empty_recording_is_refused_or_one_step_long():
    with pytest.raises(ValueError, match="sample 1 has no events; leave it out"):
        from_arrays([[0.1], []], [[0], []])
    data = from_arrays([[0.1], []], [[0], []], allow_empty=True)
    batch = bin_events(data, bin_width=0.05)
    np.testing.assert_array_equal(batch.lengths, [3, 1])
    assert batch.spikes.sum() == 1
    np.testing.assert_array_equal(bin_events(data, num_steps=4).lengths, [4, 4])
    with pytest.raises(ValueError, match="sample 1 has no events"):
        EventDataset([Events([0.1], [0]), Events([], [])], num_units=1)[1]


# Data sets


def test_a_data_set_is_indexed_as_an_array():
    data = recordings()
    assert len(data) == 12 and data.num_units == 20 and data.unit_shape == (20,) and data.classes == 3
    assert data[4].label == 1 and data[-1].label == 2 and data[np.int64(4)].label == 1
    chosen = np.array([5, 2])
    for part in (data[chosen], data[[5, 2]]):
        np.testing.assert_array_equal(part.labels, data.labels[chosen])
        np.testing.assert_array_equal(part[1].times, data[2].times)
    np.testing.assert_array_equal(data[6:][1].times, data[7].times)
    np.testing.assert_array_equal(data[data.labels == 2].labels, [2] * 4)
    np.testing.assert_array_equal(data.durations, [one.duration for one in data])
    np.testing.assert_array_equal(data[3:5].durations, data.durations[3:5])  # of a part, not of the whole
    assert repr(data) == "<EventDataset of 12 recordings, 20 units, 3 classes>"
    for index in ("labels", 12, [0, 12]):
        with pytest.raises(IndexError, match=r"an index must be an integer, a slice, or an array .* for 12 recordings"):
            data[index]
    with pytest.raises(IndexError):
        data[12]
    with pytest.raises(ValueError, match=r"one recording at least; .* chooses none of 12"):
        data[:0]


class Lazy:
    """Recordings of a user's own, read when they are asked for."""

    def __init__(self, count):
        self.count, self.read = count, []

    def __len__(self):
        return self.count

    def __getitem__(self, place):
        self.read.append(place)
        return Events([0.1 * (place + 1)], [place], source=f"trial-{place}.dat")


def test_any_sequence_of_recordings_will_do_and_is_read_when_drawn():
    lazy = Lazy(5)
    data = EventDataset(lazy, labels=[0, 1, 0, 1, 0], num_units=5)
    assert lazy.read == []
    assert bin_events(data[2:4], bin_width=0.1).spikes.shape == (5, 2, 5)
    assert lazy.read == [2, 3]
    with pytest.raises(ValueError, match=r"trial-4\.dat: units must be from 0 to 3, and event 0 has unit 4"):
        EventDataset(lazy, num_units=4)[4]


def test_recordings_in_memory_bring_their_labels():
    data = EventDataset([Events([0.1], [0], label=2), Events([0.2], [1], label=0)], num_units=2)
    np.testing.assert_array_equal(data.labels, [2, 0])
    assert data.classes == 3 and bin_events(data, bin_width=0.1).labels.tolist() == [2, 0]
    with pytest.raises(ValueError, match="all recordings must have a label, or none; sample 1 has none"):
        EventDataset([Events([0.1], [0], label=2), Events([0.2], [1])], num_units=2)


@pytest.mark.unchecked("wrong values are handed over on purpose")
def test_labels_and_recordings_must_fit():
    one = [Events([0.1], [0])] * 2
    for labels, classes, said in (
        ([0], None, "one label for each of 2 recordings"),
        ([0.0, 1.0], None, "labels must be integers, got float64"),
        ([0, -1], None, "labels must be >= 0, and sample 1 has -1"),
        ([0, 2], 2, "labels must be from 0 to 1, for 2 classes, and sample 1 has 2"),
    ):
        with pytest.raises((TypeError, ValueError), match=said):
            EventDataset(one, labels, num_units=1, classes=classes)
    with pytest.raises(ValueError, match="one recording at least, got none"):
        from_arrays([], [])
    with pytest.raises(ValueError, match=r"one recording alone is from_arrays\(\[times\], \[units\]\)"):
        from_arrays([0.1, 0.2], [0, 1])
    with pytest.raises(ValueError, match="for each recording, got 2 and 1"):
        from_arrays([[0.1], [0.2]], [[0]])
    with pytest.raises(TypeError, match="recording 0 must be Events, got a tuple of 2"):
        EventDataset([([0.1], [0])], num_units=1)[0]


# Binning


@pytest.mark.parametrize("width", [0.01, 0.0007, 1 / 3000])
def test_counts_are_those_of_a_histogram(width):
    data = recordings()
    batch = bin_events(data, bin_width=width, counts=True)
    for i, one in enumerate(data):
        # Edges are moved down by less than a microsecond, since a histogram rounds them.
        edges = np.arange(len(batch.spikes) + 1) * width * 1e6 - 0.01, np.arange(21) - 0.5
        expected, _, _ = np.histogram2d(one.times, one.units, bins=edges)
        np.testing.assert_array_equal(batch.spikes[:, i], expected)
        assert batch.lengths[i] == np.flatnonzero(expected.any(1))[-1] + 1
    assert len(batch.spikes) == batch.lengths.max() and batch.spikes.dtype == np.uint8
    np.testing.assert_array_equal(bin_events(data, bin_width=width).spikes, batch.spikes > 0)


def test_a_number_of_steps_divides_each_recording_by_itself():
    data = recordings()
    batch = bin_events(data, num_steps=7, counts=True)
    for i, one in enumerate(data):
        edges = np.linspace(0, one.times[-1] + 1, 8), np.arange(21) - 0.5
        np.testing.assert_array_equal(batch.spikes[:, i], np.histogram2d(one.times, one.units, bins=edges)[0])
    np.testing.assert_array_equal(batch.lengths, [7] * 12)


def test_an_event_on_an_edge_belongs_to_the_later_step():
    # In floating numbers 0.57 / 0.01 is 56.99999999999999.
    for k in (1, 29, 57, 58, 1001):
        spikes = bin_events(from_arrays([[k * 0.01]], [[0]]), bin_width=0.01).spikes
        assert len(spikes) == k + 1 and spikes[k, 0, 0] == 1


def test_both_numbers_are_a_grid_and_what_lies_outside_is_refused_or_dropped():
    data = from_arrays([[0.0, 0.039], [0.02, 0.04, 0.05]], [[0, 1], [0, 1, 1]])
    with pytest.raises(
        ValueError, match=r"sample 1 has an event at 0\.05 s, outside the grid: 4 steps of 0\.01 s end at"
    ):
        bin_events(data, bin_width=0.01, num_steps=4)
    batch = bin_events(data, bin_width=0.01, num_steps=4, outside="drop")
    assert batch.spikes.shape == (4, 2, 2) and batch.spikes.sum() == 3
    np.testing.assert_array_equal(batch.lengths, [4, 4])
    longer = bin_events(data, bin_width=0.01, num_steps=8)
    assert longer.spikes.shape == (8, 2, 2)
    np.testing.assert_array_equal(longer.lengths, [4, 6])
    assert bin_events(data, bin_width=0.01, pad_to_multiple_of=16).spikes.shape == (16, 2, 2)


def test_the_shape_of_a_sensor_is_that_of_the_spikes():
    unit = np.ravel_multi_index((2, 1, 1), (3, 4, 2))
    batch = bin_events(from_arrays([[0.0]], [[unit]], num_units=(3, 4, 2)), bin_width=0.1)
    assert batch.spikes.shape == (1, 1, 3, 4, 2) and batch.spikes[0, 0, 2, 1, 1] == 1


def test_counts_that_the_type_cannot_hold_are_refused_by_sample_and_unit():
    data = from_arrays([np.zeros(255), np.zeros(300)], [np.full(255, 1), np.full(300, 2)])
    assert bin_events(data[:1], bin_width=0.1, counts=True).spikes.max() == 255
    with pytest.raises(
        ValueError, match="sample 1 has 300 events of unit 2 in one time step, and uint8 holds 255; take dtype"
    ):
        bin_events(data, bin_width=0.1, counts=True)
    assert bin_events(data, bin_width=0.1, counts=True, dtype=np.uint16).spikes.max() == 300
    spread = from_arrays([np.repeat([0.0, 0.1], 150)], [np.zeros(300, int)])  # many of a unit, in two steps
    np.testing.assert_array_equal(bin_events(spread, bin_width=0.1, counts=True).spikes.ravel(), [150, 150])
    assert bin_events(spread, bin_width=0.1, counts=True, dtype=jnp.bfloat16).spikes.max() == 150
    with pytest.raises(ValueError, match="sample 1 has 300 events of unit 2 in one time step, and bfloat16 holds 256"):
        bin_events(data, bin_width=0.1, counts=True, dtype=jnp.bfloat16)
    clipped = bin_events(data, bin_width=0.1, dtype=bool).spikes
    assert clipped.dtype == bool and clipped.sum() == 2


def test_times_in_another_unit_do_not_fill_the_memory():
    data = from_arrays([[3.6e6]], [[0]], num_units=700)  # milliseconds, given as seconds
    with pytest.raises(
        ValueError, match=r"more than 8 GiB; sample 0 is 3\.6e\+06 s long. If it is not, say in which time_unit"
    ):
        bin_events(data, bin_width=0.001)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "give bin_width="),
        ({"bin_width": 0.0}, "bin_width must be >= 1e-06"),
        ({"bin_width": 1e-7}, "bin_width must be >= 1e-06"),
        ({"num_steps": 0}, "num_steps must be an integer >= 1"),
        ({"bin_width": 0.1, "outside": "clip"}, "outside must be one of 'error', 'drop'"),
        ({"bin_width": 0.1, "pad_to_multiple_of": 0}, "pad_to_multiple_of must be"),
        ({"bin_width": 0.1, "dtype": "U1"}, "dtype must be one of numbers"),
        ({"bin_width": 0.1, "dtype": bool, "counts": True}, "dtype must be one of numbers that count"),
    ],
)
@pytest.mark.unchecked("wrong values are handed over on purpose")
def test_options_out_of_range_are_refused(options, said):
    for function in (bin_events, lambda data, **options: batches(data, 2, **options)):
        with pytest.raises((TypeError, ValueError), match=said):
            function(recordings(3), **options)


# Augmentations


def test_a_crop_is_a_window_whose_time_begins_anew():
    one = Events([0.1, 0.2, 0.3, 0.4], [0, 1, 2, 3])
    random = np.random.default_rng(0)
    cropped = events.CropTime(0.2, start=0.15)(one, random)
    np.testing.assert_allclose(cropped.seconds, [0.05, 0.15])
    np.testing.assert_array_equal(cropped.units, [1, 2])
    for _ in range(20):  # a random window lies inside
        window = events.CropTime(0.2)(one, random)
        assert window.duration < 0.2 and 1 <= len(window) <= 2
    assert len(events.CropTime(1.0)(one, random)) == 4


def test_shifts_move_all_events_alike_and_drop_what_leaves():
    one = Events(np.linspace(0, 0.1, 101), np.arange(101), num_units=101)
    seen = set()
    for seed in range(20):
        random = np.random.default_rng(seed)
        late = events.ShiftTime(0.02)(one, random)
        shift = late.times - one.times[-len(late) :]
        assert np.ptp(shift) == 0 and abs(shift[0]) <= 20_000 and (len(late) == 101) == (shift[0] >= 0)
        moved = events.ShiftUnits(10)(one, random)
        difference = moved.units - np.searchsorted(one.times, moved.times)
        assert np.ptp(difference) == 0 and abs(difference[0]) <= 10 and len(moved) == 101 - abs(difference[0])
        seen.add(int(difference[0]))
    assert len(seen) > 10


def test_jitter_moves_each_event_along_its_axis():
    shape = 50, 60, 2
    middle = np.ravel_multi_index((25, 30, 1), shape)
    one = Events(np.linspace(0, 1, 4000), np.full(4000, middle), num_units=shape)
    row, column, polarity = np.unravel_index(
        events.JitterUnits(3.0, axis=1)(one, np.random.default_rng(0)).units, shape
    )
    assert (row == 25).all() and (polarity == 1).all()
    assert (
        abs(np.mean(column - 30.0)) < 0.2 and abs(np.std(column) - np.sqrt(9 + 1 / 12)) < 0.15
    )  # and what rounding adds
    corner = Events(np.linspace(0, 1, 4000), np.zeros(4000, int), num_units=(700,))
    left = events.JitterUnits(20.0)(corner, np.random.default_rng(0))
    assert 0.45 < len(left) / 4000 < 0.55 and left.units.min() >= 0
    with pytest.raises(ValueError, match=r"JitterUnits: axis must be one of the sensor of Events, whose shape is None"):
        events.JitterUnits(1.0)(Events([0.1], [0]), np.random.default_rng(0))


def test_events_are_dropped_with_their_probability():
    one = Events(np.linspace(0, 1, 10_000), np.arange(10_000))
    kept = events.DropEvents(0.3)(one, np.random.default_rng(0))
    assert abs(len(kept) / 10_000 - 0.7) < 0.02
    np.testing.assert_array_equal(kept.times, one.times[kept.units])
    assert len(events.DropEvents(0.0)(one, np.random.default_rng(0))) == 10_000


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: events.CropTime(0.0), "CropTime: duration must be >= 1e-06"),
        (lambda: events.CropTime(1.0, start=-1.0), "CropTime: start must be >= 0"),
        (lambda: events.ShiftTime(-1.0), "ShiftTime: max_shift must be >= 0"),
        (lambda: events.ShiftUnits(0.5), "ShiftUnits: max_shift must be an integer >= 0"),
        (lambda: events.JitterUnits(float("nan")), "JitterUnits: sigma must be"),
        (lambda: events.DropEvents(1.5), "DropEvents: p must be 0 to 1"),
    ],
)
@pytest.mark.unchecked("wrong values are handed over on purpose")
def test_augmentations_check_their_numbers(make, said):
    with pytest.raises(ValueError, match=said):
        make()


# Batches


def same(some, others):
    return len(some) == len(others) and all(
        a.spikes.shape == b.spikes.shape and (a.spikes == b.spikes).all() and (a.labels == b.labels).all()
        for a, b in zip(some, others, strict=True)
    )


def test_the_key_alone_decides_order_and_augmentations():
    data = recordings()
    options = {"bin_width": 0.01, "augment": [events.ShiftTime(0.02), events.DropEvents(0.2)]}
    first = list(batches(data, 5, key=KEY, **options))
    assert same(first, list(batches(data, 5, key=KEY, prefetch=0, **options)))
    assert not same(first, list(batches(data, 5, key=jax.random.key(1), **options)))
    plain = list(batches(data, 5, bin_width=0.01))
    np.testing.assert_array_equal(np.concatenate([batch.labels for batch in plain]), data.labels)
    whole = bin_events(data[:5], bin_width=0.01)
    np.testing.assert_array_equal(plain[0].spikes, whole.spikes)
    shuffled = list(batches(data, 5, key=jax.random.PRNGKey(0), bin_width=0.01))
    assert [len(batch.labels) for batch in shuffled] == [5, 5, 2]
    assert sorted(np.concatenate([batch.lengths for batch in shuffled])) == sorted(
        np.concatenate([batch.lengths for batch in plain])
    )
    assert [len(batch.labels) for batch in batches(data, 5, key=KEY, bin_width=0.01, drop_last=True)] == [5, 5]


@pytest.mark.parametrize("drop_last", [False, True])
def test_buckets_use_each_recording_once_and_pad_less(drop_last):
    data = recordings(230)
    each = {}
    for bucketed in (False, True):
        made = list(batches(data, 4, key=KEY, bin_width=0.01, bucket_by_length=bucketed, drop_last=drop_last))
        each[bucketed] = sum(batch.spikes[..., 0].size for batch in made), sum(batch.lengths.sum() for batch in made)
        numbers = np.concatenate([batch.spikes.sum((0, 2)) for batch in made])
        assert len(numbers) == (228 if drop_last else 230)
    padded, needed = each[True]
    assert padded < 1.1 * needed and each[False][0] > 1.3 * each[False][1]
    if not drop_last:
        assert needed == each[False][1]
    lengths = [batch.lengths.max() for batch in batches(data, 4, key=KEY, bin_width=0.01, bucket_by_length=True)]
    assert lengths != sorted(lengths)  # batches come in random order


def test_own_functions_augment_and_what_they_return_is_checked():
    data = recordings(4)

    def later(recording, random):
        return Events(recording.times + random.integers(1000), recording.units, time_unit="us")

    (batch,) = batches(data, 4, key=KEY, bin_width=0.001, augment=later)
    assert set(batch.labels) == {0, 1, 2} and len(batch.spikes) >= bin_events(data, bin_width=0.001).spikes.shape[0]
    stream = batches(data, 4, key=KEY, bin_width=0.001, augment=lambda recording, random: None)
    with pytest.raises(
        TypeError, match=r"the augmentation <lambda> returns for sample \d must be Events, got NoneType"
    ):
        next(stream)
    stream = batches(data, 4, key=KEY, bin_width=0.001, augment=lambda one, random: Events(one.seconds, one.units + 15))
    with pytest.raises(
        ValueError, match=r"sample \d, after the augmentation <lambda>: units must be from 0 to 19, and"
    ):
        next(stream)
    with pytest.raises(ValueError, match="read-only"):
        data[0].times[0] = 5
    with pytest.raises(TypeError, match="augmentations are drawn; give a key"):
        batches(data, 4, bin_width=0.001, augment=later)


def test_an_augmented_recording_without_events_is_one_step_long():
    (batch,) = batches(recordings(3), 3, key=KEY, bin_width=0.1, augment=events.DropEvents(1.0))
    np.testing.assert_array_equal(batch.lengths, [1, 1, 1])
    assert not batch.spikes.any()


class Failing(Lazy):
    def __getitem__(self, place):
        if place == 6:
            raise ValueError("sample 6 of broken.h5 cannot be read")
        return Events([0.1], [0])


@pytest.mark.parametrize("prefetch", [0, 1, 3])
def test_errors_are_raised_where_the_batch_is_drawn(prefetch):
    stream = batches(EventDataset(Failing(8), num_units=1), 2, bin_width=0.1, prefetch=prefetch)
    for _ in range(3):
        assert next(stream).labels is None
    with pytest.raises(ValueError, match=r"sample 6 of broken\.h5"):
        next(stream)
    assert not threads()
    with pytest.raises(StopIteration):
        next(stream)


def test_the_thread_ends_when_the_batches_are_closed_dropped_or_used_up():
    data = recordings()
    stream = batches(data, 1, bin_width=0.01, prefetch=1)
    assert not threads()  # nothing starts before a batch is asked for
    next(stream)
    assert len(threads()) == 1
    stream.close()
    assert not threads()
    for batch in batches(data, 1, bin_width=0.01, prefetch=1):
        assert len(batch.labels) == 1
        break
    gc.collect()
    assert not threads()
    assert len(list(batches(data, 1, bin_width=0.01))) == 12 and not threads()


@pytest.mark.parametrize("prefetch", [0, 2])
def test_an_epoch_is_used_up_or_begins_again_and_knows_its_length(prefetch):
    data = recordings()
    options = {"bin_width": 0.01, "prefetch": prefetch}
    epoch = batches(data, 5, key=KEY, **options)
    assert len(epoch) == 3 and repr(epoch) == "<Epoch of 3 batches>"
    assert len(next(epoch).labels) == 5 and len(list(epoch)) == 2  # a loop goes on where the last one ended
    with pytest.raises(StopIteration):
        next(epoch)
    for loop in (lambda: list(epoch), lambda: [None for _ in epoch]):
        with pytest.raises(RuntimeError, match="used up; call batches again, with another key for each epoch"):
            loop()
    closed = batches(data, 5, key=KEY, **options)
    next(closed)
    closed.close()
    with pytest.raises(RuntimeError, match="used up"):
        iter(closed)
    in_order = batches(data, 5, **options)
    assert same(list(in_order), list(in_order)) and len(list(in_order)) == 3
    assert not threads()
    for bucketed in (False, True):
        for drop_last in (False, True):
            made = batches(data, 5, bin_width=0.01, bucket_by_length=bucketed, drop_last=drop_last)
            assert len(made) == len(list(made)) == 3 - drop_last


def test_a_time_step_longer_than_all_recordings_is_warned_of():
    data = recordings()  # up to 0.3 s
    said = "bin_width=5 s is longer than every recording that was drawn, .* Widths are seconds"
    with pytest.warns(UserWarning, match=said):
        bin_events(data, bin_width=5)
    epoch = batches(data, 5, key=KEY, bin_width=5, num_steps=10, pad_to_multiple_of=4)
    next(epoch)  # other recordings may be longer
    with pytest.warns(UserWarning, match=said) as caught:
        list(epoch)
    assert len(caught) == 1
    bin_events(data, bin_width=5, num_steps=1)  # on purpose
    bin_events(data, num_steps=1)
    bin_events(from_arrays([[0.1], [0.2]], [[0], [1]]), bin_width=5)  # single events have no order to lose
    list(batches(data, 5, bin_width=0.2))  # one batch of short recordings, the others are longer


def test_a_program_ends_while_batches_are_made_ahead():
    program = (
        "from surgrad import events; "
        "stream = events.batches(events.from_arrays([[0.1]] * 9, [[0]] * 9), 1, bin_width=0.1, prefetch=1); "
        "print(len(next(stream).spikes))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("2\n", "", 0)


def test_no_more_batches_are_made_ahead_than_asked_for():
    lazy = Lazy(20)
    stream = batches(EventDataset(lazy, num_units=20), 1, bin_width=0.1, prefetch=3)
    next(stream)
    deadline = time.monotonic() + 5
    while len(lazy.read) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert len(lazy.read) == 5  # one in use, three that wait, and one in the thread's hands
    stream.close()


@pytest.mark.unchecked("wrong values are handed over on purpose")
def test_wrong_arguments_of_batches_are_refused():
    data = recordings(3)
    for call, said in (
        (lambda: batches([1, 2], 2, bin_width=0.1), "data must be an EventDataset, got list; from_arrays"),
        (lambda: batches(data, 0, bin_width=0.1), "batch_size must be an integer >= 1"),
        (lambda: batches(data, 2, bin_width=0.1, prefetch=-1), "prefetch must be an integer >= 0"),
        (lambda: batches(data, 4, bin_width=0.1, drop_last=True), "3 recordings fill no batch of 4"),
        (lambda: batches(data, 2, bin_width=0.1, key=3), "key must be one key"),
        (
            lambda: batches(data, 2, num_workers=2),
            "'num_workers' is 'prefetch' here: the number of batches that a thread",
        ),
        (lambda: batches(data, 2, collate_fn=list), "batches are padded to their longest recording"),
        (
            lambda: batches(data, 2, bin_width=0.1, key=KEY, augment=events.DropEvents),
            "is the class DropEvents; give an object",
        ),
    ):
        with pytest.raises((TypeError, ValueError), match=said):
            call()


def test_a_batch_runs_through_a_network_with_lengths():
    data = recordings(4)
    batch = bin_events(data, bin_width=0.01)
    net = nn.Sequential(nn.Linear(20, 3, key=KEY), nn.LeakyIntegrator(tau=5.0))
    _, last = nn.unroll(net, batch.spikes, lengths=batch.lengths, keep="last")
    alone = bin_events(data[:1], bin_width=0.01).spikes
    _, expected = nn.unroll(net, alone, keep="last")
    np.testing.assert_allclose(last[0], expected[0], rtol=1e-5, atol=1e-6)
    assert last.shape == (4, 3) and last.dtype == jnp.float32
