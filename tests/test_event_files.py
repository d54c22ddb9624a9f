"""Files of events: read as their authors lay them out, and refused by file and sample when they are broken."""

import gzip
import hashlib
import os
import struct
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest

from surgrad import events
from surgrad.events import _download, _heidelberg
from surgrad.events._aedat import AedatFile

h5py = pytest.importorskip("h5py")

TIMES = [np.array([0.0, 0.25, 1.25], np.float16), np.array([0.5], np.float16), np.array([0.125, 0.125], np.float16)]
UNITS = [np.array([3, 699, 0], np.uint16), np.array([12], np.uint16), np.array([7, 7], np.uint16)]
LABELS = np.array([4, 19, 4], np.uint16)


def write_hdf5(path, times=TIMES, units=UNITS, labels=LABELS, leave_out=()):
    """A file in the layout of the Heidelberg data sets: times in half precision, in seconds."""
    path.parent.mkdir(exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, arrays in (("spikes/times", times), ("spikes/units", units)):
            if name not in leave_out:
                made = file.create_dataset(name, (len(arrays),), h5py.vlen_dtype(arrays[0].dtype))
                for i, array in enumerate(arrays):
                    made[i] = array
        if "labels" not in leave_out:
            file["labels"] = labels
        file["extra/keys"] = np.array([b"zero"] * 20)
        file["extra/speaker"] = np.zeros(len(times), np.uint16)
    return path


# HDF5: the Heidelberg data sets


def test_shd_is_read_recording_by_recording(tmp_path):
    write_hdf5(tmp_path / "shd_train.h5")
    write_hdf5(tmp_path / "shd_test.h5", TIMES[:1], UNITS[:1], LABELS[:1])
    data = events.read_shd(tmp_path)
    assert (len(data), data.num_units, data.classes) == (3, 700, 20)
    np.testing.assert_array_equal(data.labels, LABELS)
    np.testing.assert_array_equal(data[0].times, [0, 250_000, 1_250_000])  # not the infinity of float16
    np.testing.assert_array_equal(data[0].units, UNITS[0])
    assert data[1].label == 19
    np.testing.assert_array_equal(data.durations, [1.25, 0.5, 0.125])
    assert len(events.read_shd(tmp_path, "test")) == 1
    assert len(events.read_shd(tmp_path / "shd_test.h5")) == 1
    (batch,) = events.batches(data, 4, bin_width=0.125, counts=True)
    assert batch.spikes.shape == (11, 3, 700) and batch.spikes[1, 2, 7] == 2


def test_ssc_has_three_parts(tmp_path):
    for part in ("train", "valid", "test"):
        write_hdf5(tmp_path / f"ssc_{part}.h5", labels=np.array([34, 0, 1], np.uint16))
        assert events.read_ssc(tmp_path, part).classes == 35


def test_events_out_of_order_in_a_published_file_are_sorted(tmp_path):
    write_hdf5(tmp_path / "shd_train.h5", [np.array([0.5, 0.25, 1.0], np.float16)], [np.array([1, 2, 3])], LABELS[:1])
    recording = events.read_shd(tmp_path)[0]
    np.testing.assert_array_equal(recording.seconds, [0.25, 0.5, 1.0])
    np.testing.assert_array_equal(recording.units, [2, 1, 3])
    with pytest.raises(ValueError, match=r"sample 0 of .*shd_train\.h5: events must be in order of time, and event 1"):
        events.read_hdf5(tmp_path / "shd_train.h5", num_units=700)[0]


def packed(path, folder, ending):
    content = path.read_bytes()
    if ending == ".gz":
        (folder / f"{path.name}.gz").write_bytes(gzip.compress(content))
    else:
        with zipfile.ZipFile(folder / f"{path.name}.zip", "w") as archive:
            archive.writestr(path.name, content)


@pytest.mark.parametrize("ending", [".gz", ".zip"])
def test_an_archive_is_unpacked_beside_it_or_nothing_is_left(ending, tmp_path):
    source = write_hdf5(tmp_path / "made" / "shd_train.h5")
    packed(source, tmp_path, ending)
    assert len(events.read_shd(tmp_path)) == 3 and (tmp_path / "shd_train.h5").read_bytes() == source.read_bytes()
    (tmp_path / "shd_train.h5").unlink()
    archive = tmp_path / f"shd_train.h5{ending}"
    archive.write_bytes(archive.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"shd_train\.h5\.\w+: cannot be unpacked .* it may be cut off"):
        events.read_shd(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["made", archive.name]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"leave_out": ("spikes/times",)}, r"x\.h5: there is no array 'spikes/times'; the layout is"),
        ({"leave_out": ("spikes/units",)}, r"x\.h5: there is no array 'spikes/units'"),
        ({"units": UNITS[:2]}, r"x\.h5: spikes/times, spikes/units and labels must be of one length, got 3, 2 and 3"),
        ({"labels": LABELS[:2]}, r"must be of one length, got 3, 3 and 2"),
        ({"labels": np.array([0, 1, 20])}, "labels must be from 0 to 19, for 20 classes, and sample 2 has 20"),
    ],
)
def test_a_file_that_lacks_something_is_refused_when_it_is_opened(options, said, tmp_path):
    path = write_hdf5(tmp_path / "x.h5", **options)
    with pytest.raises(ValueError, match=said):
        events.read_hdf5(path, num_units=700, classes=20)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"units": [UNITS[0], UNITS[1][:0], UNITS[2]]}, "sample 1 of .*: has|sample 1 of .* has 1 times and 0 units"),
        ({"units": [UNITS[0], np.array([700], np.uint16), UNITS[2]]}, "sample 1 of .*: units must be from 0 to 699, .* unit 700"),
        ({"times": [TIMES[0], np.array([np.nan], np.float16), TIMES[2]]}, "sample 1 of .*: times must be finite, .* event 0 is at nan"),
        ({"times": [TIMES[0], TIMES[1][:0], TIMES[2]], "units": [UNITS[0], UNITS[1][:0], UNITS[2]]}, "sample 1 of .* has no events"),
    ],
)  # fmt: skip
def test_a_broken_sample_is_named_when_it_is_drawn(options, said, tmp_path):
    write_hdf5(tmp_path / "shd_train.h5", **options)
    data = events.read_shd(tmp_path)
    assert len(data[0]) == 3
    with pytest.raises(ValueError, match=said):
        data[1]
    stream = events.batches(data, 1, bin_width=0.1)
    next(stream)
    with pytest.raises(ValueError, match=said):
        next(stream)


@pytest.mark.unchecked("a wrong split is handed over on purpose")
def test_no_hdf5_file_is_named(tmp_path):
    path = write_hdf5(tmp_path / "x.h5")
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(ValueError, match=r"x\.h5: cannot be read as an HDF5 file .* it may be cut off"):
        events.read_hdf5(path, num_units=700)
    path.write_bytes(b"<html>not found</html>")
    with pytest.raises(ValueError, match=r"x\.h5: cannot be read as an HDF5 file"):
        events.read_hdf5(path, num_units=700)
    with pytest.raises(FileNotFoundError, match=r"there is no file .*nothing\.h5"):
        events.read_hdf5(tmp_path / "nothing.h5", num_units=700)
    with pytest.raises(
        FileNotFoundError, match=r"read_shd: there is no shd_train\.h5, with or without .* download=True, or"
    ):
        events.read_shd(tmp_path)
    with pytest.raises(ValueError, match="split must be one of 'train', 'test', got 'valid'"):
        events.read_shd(tmp_path, "valid")


def test_own_times_in_milliseconds_and_no_labels(tmp_path):
    path = write_hdf5(tmp_path / "own.h5", [np.array([1.5, 2.0])], [np.array([0, 1])], leave_out=("labels",))
    data = events.read_hdf5(path, num_units=2, time_unit="ms")
    np.testing.assert_array_equal(data[0].times, [1500, 2000])
    assert data.labels is None and data.classes is None


@pytest.mark.unchecked("arguments are handed over in the wrong order on purpose")
def test_what_is_wrong_with_a_file_is_said_before_what_it_does_not_say(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["times"] = [0.1]
    with pytest.raises(ValueError, match=r"there is no array 'spikes/times'; the layout is"):
        events.read_hdf5(tmp_path / "x.h5")
    data = events.from_arrays([[0.1]], [[0]])
    with pytest.raises(TypeError, match=r"write_hdf5\(path, data\), in this order, got EventDataset for the path"):
        events.write_hdf5(data, tmp_path / "y.h5")
    with pytest.raises(TypeError, match="write_hdf5: data must be an EventDataset, got list; from_arrays"):
        events.write_hdf5(tmp_path / "y.h5", [0.1])
    assert os.listdir(tmp_path) == ["x.h5"]


def test_a_file_is_never_one_dense_array(tmp_path):
    random = np.random.default_rng(0)
    times = [np.sort(random.uniform(0, 1, 100)) for _ in range(64)]
    data = events.from_arrays(times, [random.integers(0, 700, 100) for _ in times], num_units=700)
    events.write_hdf5(tmp_path / "own.h5", data)
    again = events.read_hdf5(tmp_path / "own.h5")
    tracemalloc.start()
    made = sum(batch.spikes.shape[1] for batch in events.batches(again, 4, bin_width=0.001, prefetch=1))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    dense = 64 * 1000 * 700
    assert made == 64 and 4 / 64 * dense < peak < 16 / 64 * dense  # batches: in use, waiting, being made


def test_what_is_written_is_read_again(tmp_path):
    random = np.random.default_rng(0)
    times = [np.sort(random.integers(0, 2**40, 50)) for _ in range(4)]
    units = [random.integers(0, 60, 50) for _ in range(4)]
    data = events.from_arrays(times, units, [0, 1, 2, 0], num_units=(5, 6, 2), time_unit="us")
    events.write_hdf5(tmp_path / "own.h5", data[1:])
    again = events.read_hdf5(tmp_path / "own.h5")
    assert again.unit_shape == (5, 6, 2) and again.labels.tolist() == [1, 2, 0]
    for one, other in zip(data[1:], again, strict=True):
        np.testing.assert_array_equal(one.times, other.times)
        np.testing.assert_array_equal(one.units, other.units)
    events.write_hdf5(tmp_path / "own.h5", again[:1])  # replaces the file that it reads
    assert len(events.read_hdf5(tmp_path / "own.h5")) == 1
    with pytest.raises(ValueError, match=r"x\.h5: give num_units=, the number of units; the file does not say it"):
        events.read_hdf5(write_hdf5(tmp_path / "x.h5"))
    broken = events.read_hdf5(write_hdf5(tmp_path / "y.h5", units=[*UNITS[:2], UNITS[2] + 700]), num_units=700)
    with pytest.raises(ValueError, match=r"sample 2 of .*y\.h5: units must be from 0 to 699"):
        events.write_hdf5(tmp_path / "z.h5", broken)
    assert sorted(os.listdir(tmp_path)) == ["own.h5", "x.h5", "y.h5"]


def test_without_h5py_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r'an HDF5 file needs h5py: pip install "surgrad\[data\]"'):
        events.read_hdf5(tmp_path / "x.h5", num_units=1)


# Downloads, from a server that is a folder


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server with the archive of SHD's training file, and the checksum that is published for it."""
    folder = tmp_path / "server"
    packed(write_hdf5(folder / "shd_train.h5"), folder, ".zip")
    archive = folder / "shd_train.h5.zip"
    monkeypatch.setattr(_heidelberg, "SERVER", f"{folder.as_uri()}/")
    monkeypatch.setitem(_heidelberg.PUBLISHED, "shd", {"train": hashlib.md5(archive.read_bytes()).hexdigest()})
    return archive


def test_what_is_downloaded_is_verified_and_read(server, tmp_path):
    data = events.read_shd(tmp_path / "data", download=True)
    assert len(data) == 3 and sorted(os.listdir(tmp_path / "data")) == ["shd_train.h5", "shd_train.h5.zip"]
    server.unlink()  # what is there is not asked for again
    assert len(events.read_shd(tmp_path / "data", download=True)) == 3


def test_what_has_another_checksum_is_not_kept(server, tmp_path):
    server.write_bytes(server.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"the MD5 checksum should be \w+, and is \w+; nothing was kept"):
        events.read_shd(tmp_path / "data", download=True)
    assert os.listdir(tmp_path / "data") == []


def test_a_failing_network_says_what_to_do(server, tmp_path, monkeypatch):
    server.unlink()
    with pytest.raises(OSError, match=r"cannot be downloaded .* Get the file in another way, and put it into .*data"):
        events.read_shd(tmp_path / "data", download=True)
    assert os.listdir(tmp_path / "data") == []
    with pytest.raises(FileNotFoundError, match="Get it with download=True"):  # nothing is downloaded unasked
        events.read_shd(tmp_path / "data")


def test_the_checksums_are_the_published_ones():
    sums = [value for parts in _heidelberg.PUBLISHED.values() for value in parts.values()]
    assert len(set(sums)) == 5 and all(len(bytes.fromhex(value)) == 16 for value in sums)
    assert _download._CHUNK > 0


# N-MNIST


def atis(column, row, polarity, time):
    """An event of 40 bits, as the data set's page has it."""
    return ((column << 32) | (row << 24) | (polarity << 23) | time).to_bytes(5, "big")


def write_nmnist(folder, content=None):
    for part in ("Train", "Test"):
        for digit in range(10):
            (folder / part / str(digit)).mkdir(parents=True)
            path = folder / part / str(digit) / f"0000{digit}.bin"
            path.write_bytes(content or atis(digit, 33, 1, 70_000) + atis(0, 2, 0, 2**23 - 1))


def test_nmnist_is_read_as_its_page_says(tmp_path):
    write_nmnist(tmp_path)
    data = events.read_nmnist(tmp_path)
    assert (len(data), data.unit_shape, data.classes) == (10, (34, 34, 2), 10)
    np.testing.assert_array_equal(data.labels, range(10))
    row, column, polarity = np.unravel_index(data[7].units, data.unit_shape)
    np.testing.assert_array_equal([row, column, polarity], [[33, 2], [7, 0], [1, 0]])
    np.testing.assert_array_equal(data[7].times, [70_000, 2**23 - 1])
    spikes = events.bin_events(events.read_nmnist(tmp_path, "test")[7:8], num_steps=2).spikes
    assert spikes.shape == (2, 1, 34, 34, 2) and spikes[0, 0, 33, 7, 1] == 1 and spikes.sum() == 2


def test_the_clock_of_nmnist_goes_on_after_an_overflow(tmp_path):
    write_nmnist(tmp_path, atis(1, 1, 0, 8000) + atis(0, 240, 0, 0) + atis(1, 2, 0, 10))
    np.testing.assert_array_equal(events.read_nmnist(tmp_path)[0].times, [8000, 2**13 + 10])


def test_broken_files_of_nmnist_are_named(tmp_path):
    write_nmnist(tmp_path)
    data = events.read_nmnist(tmp_path)
    path = tmp_path / "Train" / "3" / "00003.bin"
    for content, said in (
        (atis(1, 1, 0, 5)[:-1], r"00003\.bin: has 4 bytes, and an event is 5: 4 are left over"),
        (atis(34, 1, 0, 5), r"00003\.bin: event 0 is at row 1, column 34, outside 34 x 34 pixels"),
        (b"", r"00003\.bin has no events"),
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=said):
            data[3]
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"there are no recordings .*3/\*\.bin; give the folder"):
        events.read_nmnist(tmp_path)


# DVS128 Gesture

HEADER = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 0: DVS128\r\n#Start-Time: 2015-01-01\r\n#!END-HEADER\r\n"


def packet(made, kind=1, overflows=0, size=8):
    """A packet of AEDAT 3.1: its header, and events (time, row, column, polarity, valid)."""
    content = b"".join(
        struct.pack("<II", column << 17 | row << 2 | polarity << 1 | valid, time) + bytes(size - 8)
        for time, row, column, polarity, valid in made
    )
    return struct.pack("<HHIIIIII", kind, 0, size, 4, overflows, len(made), len(made), len(made)) + content


PACKETS = (
    packet([(100, 1, 2, 0, 1), (110, 3, 4, 1, 1)])
    + packet([(105, 0, 0, 0, 1)], kind=0, size=12)
    + packet([(115, 5, 6, 1, 0), (120, 127, 0, 0, 1), (150, 0, 127, 1, 1)])
    + packet([(7, 9, 9, 0, 1)], overflows=1)
)
LABEL_FILE = f"class,startTime_usec,endTime_usec\n11,100,150\n1,150,151\n2,{2**31},{2**31 + 10}\n"


def write_gesture(folder, content=HEADER + PACKETS, table=LABEL_FILE):
    for part in ("train", "test"):
        (folder / f"trials_to_{part}.txt").write_text("user01_led.aedat\n\n")
    (folder / "user01_led.aedat").write_bytes(content)
    (folder / "user01_led_labels.csv").write_text(table)
    return folder


def test_gestures_are_the_events_between_their_start_and_end(tmp_path):
    data = events.read_dvs_gesture(write_gesture(tmp_path))
    assert (len(data), data.unit_shape, data.classes) == (3, (128, 128, 2), 11)
    np.testing.assert_array_equal(data.labels, [10, 0, 1])
    np.testing.assert_array_equal(data[0].times, [0, 10, 20])  # the invalid event at 115 does not count
    row, column, polarity = np.unravel_index(data[0].units, data.unit_shape)
    np.testing.assert_array_equal([row, column, polarity], [[1, 3, 127], [2, 4, 0], [0, 1, 0]])
    np.testing.assert_array_equal(data[1].times, [0])
    np.testing.assert_array_equal(data[2].times, [7])  # after the clock of 31 bits has started anew
    assert len(events.read_dvs_gesture(tmp_path, "test")) == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"#!AER-DAT2.0\r\n", r"must begin with '#!AER-DAT3\.1', the mark of AEDAT 3\.1, got b'#!AER-DAT2\.0"),
        (HEADER[:40], "its header does not end with '#!END-HEADER'"),
        (
            HEADER + PACKETS[:20],
            f"the header of a packet at byte {len(HEADER)} has 20 of 28 bytes; the file is cut off",
        ),
        (HEADER + PACKETS[:40], f"the packet at byte {len(HEADER)} should have 16 bytes, has 12; the file is cut off"),
        (HEADER + PACKETS[:-1], "should have 8 bytes, has 7; the file is cut off"),
        (HEADER + packet([(1, 1, 1, 1, 1)], size=9), "states 1 events in the room of 1, 9 bytes each"),
        (
            HEADER + packet([(100, 128, 1, 1, 1)]),
            r"gesture 1 \(line 2 of its labels\): an event is at row 128, column 1",
        ),
        (HEADER + packet([(99, 1, 1, 1, 1)]), r"gesture 1 \(line 2 of its labels\) has no events"),
    ],
)
def test_broken_files_of_gestures_are_named(content, said, tmp_path):
    data = events.read_dvs_gesture(write_gesture(tmp_path, content))
    with pytest.raises(ValueError, match=f"user01_led.aedat.*{said}"):
        data[0]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("", "the first line must be 'class,startTime_usec,endTime_usec', got ''"),
        ("class,start,end\n1,2,3\n", "the first line must be"),
        ("class,startTime_usec,endTime_usec\n1,2,3\n4,5", "line 3: must be three integers"),
        ("class,startTime_usec,endTime_usec\n12,2,3\n", "line 2: the class must be from 1 to 11"),
        ("class,startTime_usec,endTime_usec\n1,3,3\n", "line 2: .* the end after the start"),
    ],
)
def test_broken_label_files_are_named_with_the_line(table, said, tmp_path):
    with pytest.raises(ValueError, match=rf"user01_led_labels\.csv.*{said}"):
        events.read_dvs_gesture(write_gesture(tmp_path, table=table))


def test_files_of_gestures_that_are_missing_are_named(tmp_path):
    write_gesture(tmp_path)
    for name in ("user01_led_labels.csv", "user01_led.aedat", "trials_to_train.txt"):
        (tmp_path / name).unlink()
        with pytest.raises(FileNotFoundError, match=f"read_dvs_gesture: there is no {name}"):
            events.read_dvs_gesture(tmp_path)
    (tmp_path / "trials_to_train.txt").write_text("\n")
    with pytest.raises(ValueError, match=r"trials_to_train\.txt: lists no trials"):
        events.read_dvs_gesture(tmp_path)


def test_the_index_of_a_file_skips_what_is_no_polarity_event(tmp_path):
    file = AedatFile(write_gesture(tmp_path) / "user01_led.aedat")
    assert [packet.events for packet in file.packets] == [2, 3, 1]
    assert file.packets[-1].first == 2**31 + 7


# Files of your own

NPZ = {
    "times": np.array([0.1, 0.2, 0.05, 0.3]),
    "units": np.array([0, 2, 1, 1]),
    "counts": np.array([2, 2]),
    "labels": np.array([1, 0]),
}


def test_npz_holds_all_events_one_after_the_other(tmp_path):
    np.savez(tmp_path / "own.npz", **NPZ)
    data = events.read_npz(tmp_path / "own.npz")
    assert (len(data), data.num_units, data.classes) == (2, 3, 2)
    np.testing.assert_array_equal(data[1].seconds, [0.05, 0.3])
    assert data[1].label == 0 and data[0].label == 1
    np.savez(tmp_path / "one.npz", times=np.array([1, 2]), units=np.array([0, 1]))
    one = events.read_npz(tmp_path / "one.npz", time_unit="ms", num_units=(5, 2))
    assert len(one) == 1 and one.labels is None and one.unit_shape == (5, 2)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"count": np.array([4])}, "must have the arrays times, units, counts, labels, .* leave out or rename 'count'"),
        ({"counts": None}, r"there is no array 'counts', .* so that all are one; but there are labels of .* \(2,\)"),
        ({"counts": None, "labels": None}, r"there is no array 'counts', .*; but event 2, at 0\.05, is before event 1"),
        ({"times": None}, r"own\.npz: there is no array 'times'; it has units, counts, labels"),
        ({"counts": np.array([2, 1])}, r"own\.npz: there are 4 times, 4 units, and counts for 3 events"),
        ({"counts": np.array([2.0, 2.0])}, r"own\.npz: counts must be integers >= 0"),
        ({"counts": np.array([5, -1])}, r"own\.npz: counts must be integers >= 0"),
        ({"labels": np.array([1])}, "one label for each of 2 recordings"),
        ({"times": np.array([0.1, 0.2, 0.5, 0.3])}, r"sample 1 of .*own\.npz: events must be in order"),
        ({"times": np.array([0.1, 0.2, np.nan, 0.3])}, r"sample 1 of .*own\.npz: times must be finite"),
        ({"units": np.array([0, 2, -1, 1])}, r"sample 1 of .*own\.npz: units must be >= 0, and event 0 has unit -1"),
        ({"counts": np.array([4, 0]), "times": np.arange(4.0)}, r"sample 1 of .*own\.npz has no events"),
    ],
)
def test_broken_npz_are_named(changed, said, tmp_path):
    np.savez(tmp_path / "own.npz", **{k: v for k, v in (NPZ | changed).items() if v is not None})
    with pytest.raises(ValueError, match=said):
        events.read_npz(tmp_path / "own.npz")


def test_what_is_no_npz_is_named(tmp_path):
    path = tmp_path / "own.npz"
    np.savez(path, **NPZ)
    for content in (path.read_bytes()[:-30], path.read_bytes()[:100], b"", b"text"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"own\.npz: cannot be read as a file of numpy\.savez"):
            events.read_npz(path)


@pytest.mark.parametrize("read", [events.read_npz, events.read_csv, events.read_hdf5])
def test_a_file_that_is_not_there_is_named_with_what_to_do(read, tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*nothing\.x; give the path of one"):
        read(tmp_path / "nothing.x")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"there is no file nothing\.x; the path counts from the folder /"):
        read("nothing.x")


CSV = "sample,time,unit,label\n7,0.1,0,1\n7,0.2,2,1\n3,0.05,1,0\n"


def test_csv_has_one_event_a_line(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text(CSV)
    data = events.read_csv(path)
    assert (len(data), data.num_units, data.classes) == (2, 3, 2)
    np.testing.assert_array_equal(data[0].seconds, [0.1, 0.2])
    np.testing.assert_array_equal(data.labels, [1, 0])
    path.write_text("unit, time\n4,1500\n2,2500")
    one = events.read_csv(path, time_unit="us", num_units=10)
    assert len(one) == 1 and one.labels is None
    np.testing.assert_array_equal(one[0].times, [1500, 2500])


def test_csv_of_spreadsheets_begin_with_a_mark(tmp_path):
    (tmp_path / "own.csv").write_text(CSV, "utf-8-sig")
    assert len(events.read_csv(tmp_path / "own.csv")) == 2


def test_integer_times_need_a_unit_in_text_too(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("time,unit\n 0,0\n+2,1\n")
    with pytest.raises(TypeError, match=r"own\.csv: times are integers, whose unit is not known; say time_unit="):
        events.read_csv(path)
    assert events.read_csv(path, time_unit="s")[0].duration == 2
    for seconds in ("2.", "2e0", "2.0"):
        path.write_text(f"time,unit\n0,0\n{seconds},1\n")
        assert events.read_csv(path)[0].duration == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("time,unit,t\n0.1,0,0\n", r"the first line must name the columns, .* got 'time,unit,t'; leave out 't'"),
        ("time,unit,time\n0.1,0,0\n", r"got 'time,unit,time'; leave out 'time'"),
        (
            "time,unit\n0.1,0\n0.05,0\n",
            r"there is no column 'sample', .* one recording; but line 3, at 0\.05, is before",
        ),
        ("", r"own\.csv: the first line must name the columns, .* got ''"),
        ("0.1,0\n0.2,1\n", r"own\.csv: the first line must name the columns, .* got '0\.1,0'"),
        ("time,unit\n", r"own\.csv: has no events"),
        (CSV + "3,0.3", r"own\.csv, line 5: must be 4 numbers, got '3,0\.3'; the file may be cut off"),
        (CSV + "3,0.3,x,0\n", r"own\.csv, line 5: must be 4 numbers, got '3,0\.3,x,0'"),
        (CSV + "\n3,0.3,1,0\n", r"own\.csv, line 5: must be 4 numbers, got ''"),
        (CSV + "3,0.3,1.5,0\n", r"own\.csv, line 5: unit must be an integer, got 1\.5"),
        (CSV + "3,0.3,1,1\n", r"own\.csv, line 5: sample 3 has a second label, 1"),
        (CSV + "7,0.3,1,1\n", r"own\.csv, line 5: sample 7 goes on here"),
        (CSV + "3,0.01,1,0\n", r"sample 1 of .*own\.csv: events must be in order of time"),
        (CSV + "3,nan,1,0\n", r"sample 1 of .*own\.csv: times must be finite"),
        (CSV + "3,0.3,-1,0\n", r"sample 1 of .*own\.csv: units must be >= 0"),
    ],
)
def test_broken_csv_are_named_with_the_line(content, said, tmp_path):
    (tmp_path / "own.csv").write_text(content)
    with pytest.raises(ValueError, match=said):
        events.read_csv(tmp_path / "own.csv")
