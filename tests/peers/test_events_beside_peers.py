"""Files of events and binning beside SpikingJelly's readers and jaxpike's binning, on the same events."""

import ast
import importlib.util
import struct
from pathlib import Path
from typing import Union

import numpy as np
import pytest

from surgrad import events
from surgrad.events._aedat import AedatFile


def of_spikingjelly(name):
    """A reader from its file, without the package that it is in: that imports more than is installed."""
    found = importlib.util.find_spec("spikingjelly")
    if found is None:
        pytest.skip("SpikingJelly is not installed")
    file = Path(found.origin).parent / "datasets" / "utils.py"
    (definition,) = [one for one in ast.parse(file.read_text("utf-8")).body if getattr(one, "name", "") == name]
    names = {"np": np, "struct": struct, "Path": Path, "Union": Union}
    exec(compile(ast.Module([definition], []), file, "exec"), names)
    return names[name]


def test_nmnist_is_read_as_by_spikingjelly(tmp_path):
    random = np.random.default_rng(0)
    content = random.integers(0, 256, (200, 5), dtype=np.uint8)
    content[:, :2] %= 34
    content[:, 2:] = np.sort(random.integers(0, 2**23, 200)).astype(">u4").view(np.uint8).reshape(-1, 4)[:, 1:]
    content[:, 2] |= 128 * random.integers(0, 2, 200, dtype=np.uint8)
    for digit in range(10):
        folder = tmp_path / "Train" / str(digit)
        folder.mkdir(parents=True)
        (folder / "1.bin").write_bytes(content.tobytes())
    found = of_spikingjelly("load_ATIS_bin")(folder / "1.bin")
    data = events.read_nmnist(tmp_path)
    row, column, polarity = np.unravel_index(data[9].units, data.unit_shape)
    for ours, name in ((data[9].times, "t"), (row, "y"), (column, "x"), (polarity, "p")):
        np.testing.assert_array_equal(ours, found[name])


def test_aedat_is_read_as_by_spikingjelly(tmp_path):
    random = np.random.default_rng(0)
    content = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#!END-HEADER\r\n"
    for overflows in (0, 0, 1):
        times = np.sort(random.integers(0, 2**31, 50))
        address = (
            random.integers(0, 128, 50) << 17 | random.integers(0, 128, 50) << 2 | random.integers(0, 2, 50) << 1 | 1
        )
        content += struct.pack("<HHIIIIII", 1, 0, 8, 4, overflows, 50, 50, 50)
        content += np.stack([address, times], 1).astype("<u4").tobytes()
    path = tmp_path / "user01_led.aedat"
    path.write_bytes(content)
    found = of_spikingjelly("load_aedat_v3")(path)
    order = np.argsort(found["t"], kind="stable")
    times, rows, columns, brighter = AedatFile(path).between(0, 2**40)
    for ours, name in ((times, "t"), (rows, "y"), (columns, "x"), (brighter, "p")):
        np.testing.assert_array_equal(ours, found[name][order])


def test_binning_is_that_of_jaxpike():
    theirs = pytest.importorskip("jaxpike.data")
    random = np.random.default_rng(0)
    # In the middle of time steps: those of jaxpike are floating numbers, and events on their edges fall to either side.
    times = [np.sort(random.integers(0, 250, 3000)) * 4000 + 2000 for _ in range(4)]
    units = [random.integers(0, 700, 3000) for _ in range(4)]
    seconds = [one / 1e6 for one in times]
    expected = theirs.bin_events(seconds, units, np.zeros(4), timesteps=250, n_units=700, duration=1.0)
    data = events.from_arrays(seconds, units, num_units=700)
    ours = events.bin_events(data, bin_width=1.0 / 250, num_steps=250)
    np.testing.assert_array_equal(ours.spikes.swapaxes(0, 1), expected)
