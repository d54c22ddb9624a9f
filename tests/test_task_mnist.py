"""MNIST's files: read as they were written, refused when they are broken; the real Fashion-MNIST where it is installed."""

import gzip
import os
import struct

import numpy as np
import pytest

from surgrad import tasks
from surgrad.tasks._mnist import DEBIAN, read_idx

installed = pytest.mark.skipif(not os.path.isdir(DEBIAN), reason="apt-get install dataset-fashion-mnist")
IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4) * 10
HEADER = struct.pack(">4B3I", 0, 0, 8, 3, 2, 3, 4)
LABELS = struct.pack(">4BI", 0, 0, 8, 1, 2) + bytes([1, 0])


def write(folder, labels=LABELS):
    for part in ("train", "t10k"):
        (folder / f"{part}-images-idx3-ubyte").write_bytes(HEADER + IMAGES.tobytes())
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(labels)


def test_what_was_written_is_read(tmp_path):
    (tmp_path / "plain").write_bytes(HEADER + IMAGES.tobytes())
    (tmp_path / "packed.gz").write_bytes(gzip.compress(HEADER + IMAGES.tobytes()))
    for name in ("plain", "packed"):
        np.testing.assert_array_equal(read_idx(tmp_path / name), IMAGES)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (HEADER + IMAGES.tobytes()[:-1], r"should hold \(2, 3, 4\) bytes, has 23; it may be cut off"),
        (b"\x00\x00\x0d\x01" + bytes(8), "not bytes in the IDX format; it begins with '00 00 0d 01 00"),
        (b"", "not bytes in the IDX format"),
        (HEADER[:9], "not bytes in the IDX format; it begins with '00 00 08 03 00 00 00 02 00'"),
    ],
    ids=["cut off", "floats", "empty", "cut off in the header"],
)
def test_a_broken_file_is_named_with_what_is_wrong(content, said, tmp_path):
    (tmp_path / "images").write_bytes(content)
    with pytest.raises(ValueError, match=f"images: .*{said}"):
        read_idx(tmp_path / "images")


@pytest.mark.parametrize(
    "content", [gzip.compress(HEADER + IMAGES.tobytes())[:-9], b"<html>", b""], ids=["cut off", "a page", "empty"]
)
def test_what_cannot_be_unpacked_is_named(content, tmp_path):
    (tmp_path / "images.gz").write_bytes(content)
    with pytest.raises(ValueError, match=r"images(\.gz: cannot be unpacked|: not bytes in the IDX format)"):
        read_idx(tmp_path / "images")


def test_pixels_become_channels_and_brightness_becomes_time(tmp_path):
    write(tmp_path)
    train, test = tasks.mnist(tmp_path, steps=256)
    assert (train.channels, train.classes) == (12, 2)
    flat, by_label = IMAGES.reshape(2, 12), {1: 0, 0: 1}
    for events, label in zip(train.events.tolist(), train.labels.tolist(), strict=True):
        bright = flat[by_label[label]].astype(int)
        assert events == np.where(bright > 0, 255 - bright, 256).tolist()
    assert len(test) == 2


def test_images_without_labels_are_an_error(tmp_path):
    write(tmp_path, struct.pack(">4BI", 0, 0, 8, 1, 3) + bytes(3))
    with pytest.raises(ValueError, match="train has 2 images and 3 labels"):
        tasks.mnist(tmp_path)


def test_what_is_missing_is_named_with_where_to_get_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no train-images-idx3-ubyte, with or without \.gz, in "):
        tasks.mnist(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"fashion_mnist: there is no train-images.* dataset-fashion-mnist"):
        tasks.fashion_mnist(tmp_path)


@pytest.mark.unchecked("wrong types on purpose")
@pytest.mark.parametrize("limit", [0, -1, 2.5, "all"])
def test_a_limit_is_a_positive_integer(limit, tmp_path):
    write(tmp_path)
    with pytest.raises(ValueError, match="mnist: limit must be an integer >= 1, got"):
        tasks.mnist(tmp_path, limit=limit)


@installed
def test_fashion_mnist_has_7000_images_of_each_of_10_kinds():
    train, test = tasks.fashion_mnist(steps=20)
    assert (train.channels, train.classes) == (784, 10)
    np.testing.assert_array_equal(np.bincount(train.labels), [6000] * 10)
    np.testing.assert_array_equal(np.bincount(test.labels), [1000] * 10)


@installed
def test_a_limit_takes_the_beginning_of_the_same_order():
    few, more = (tasks.fashion_mnist(steps=20, limit=limit, seed=1) for limit in (100, 200))
    for a, b in zip(few, more, strict=True):
        assert (len(a), len(b)) == (100, 200)
        np.testing.assert_array_equal(a.events, b.events[:100])


@installed
def test_clothes_are_told_apart_by_their_latencies_and_by_their_rates():
    neighbors = pytest.importorskip("sklearn.neighbors")
    for code in ("latency", "rate"):
        train, test = tasks.fashion_mnist(steps=20, limit=1000, code=code)
        x, y = (np.asarray(d.spikes() if code == "rate" else d.events[None], float).sum(axis=0) for d in (train, test))
        # The nearest of 1000 neighbours was right in 76 and 72 of 100 cases; 10 are chance.
        assert neighbors.KNeighborsClassifier(1).fit(x, train.labels).score(y, test.labels) > 0.65
