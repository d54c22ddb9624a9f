"""The model of large networks: its formulas beside counts by hand, and its page beside what was measured."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.scale import __main__ as program
from benchmarks.scale.machines import GPU, cases, fitted, predicted
from benchmarks.scale.model import (
    Division,
    Machine,
    Network,
    activations,
    best,
    cost,
    divisions,
    exchanged_spikes,
    summed_gradients,
)

ROOT = Path(__file__).parent.parent
RESULTS = json.loads((ROOT / "benchmarks" / "results" / "results.json").read_text())
PLAIN = Machine("plain", 1.0, 0.0, 5.0, 1e30, 1e30, link_rate=1.0, latency=0.0)


def test_one_device_does_all_and_sends_nothing():
    price = cost(Network(100, fan_in=10, steps=4, batch=2), PLAIN, Division(1, 1, 1))
    assert price.computing == pytest.approx(100 * 10 * 4 * 2)
    assert price.gradients == price.spikes == price.waiting == 0


@pytest.mark.parametrize("devices", [2, 3, 8])
def test_a_ring_sends_what_its_messages_are(devices):
    """Every device sends a part to the next, which adds it to its own; then the sums go around."""
    parts = [[{d} for _ in range(devices)] for d in range(devices)]  # of whom each part of a device is the sum
    sent = 0
    for turn in range(2 * (devices - 1)):
        moving = [(d, (d - turn) % devices) for d in range(devices)]
        for (d, part), content in zip(moving, [set(parts[d][p]) for d, p in moving], strict=True):
            parts[(d + 1) % devices][part] |= content
        sent += 1
    assert all(part == set(range(devices)) for own in parts for part in own)
    synapses = 12.0
    assert summed_gradients(synapses, devices, PLAIN) == pytest.approx(sent * 4 * synapses / devices)


def test_spikes_are_bits_or_places_and_gradients_numbers():
    network = Network(80, activity=0.01, steps=1)
    assert exchanged_spikes(network, 1, 2, PLAIN) == pytest.approx(40 * (4 * 0.01 + 4))
    assert exchanged_spikes(network._replace(activity=0.5), 1, 2, PLAIN) == pytest.approx(40 * (1 / 8 + 4))
    assert exchanged_spikes(network._replace(slope_support=0.1), 1, 2, PLAIN) == pytest.approx(40 * (4 * 0.01 + 0.8))


def test_a_pipeline_waits_until_it_is_full():
    """Three pieces of time and four samples: as a table of who works when."""
    network, pieces = Network(10, fan_in=1, steps=3, batch=4), 3
    price = cost(network, PLAIN, Division(1, 1, pieces))
    ends = np.zeros((pieces, network.batch))
    for piece in range(pieces):
        for sample in range(network.batch):
            ready = max(ends[piece - 1, sample] if piece else 0, ends[piece, sample - 1] if sample else 0)
            ends[piece, sample] = ready + network.synapses  # one time step a piece
    assert price.computing + price.waiting == pytest.approx(ends[-1, -1])


def test_memory_falls_with_each_way_to_divide():
    network = Network(1e6)
    alone = activations(network, GPU, Division(1, 1, 1))
    for division in (Division(4, 1, 1), Division(1, 4, 1)):
        assert activations(network, GPU, division) == pytest.approx(alone / 4)
    assert activations(network, GPU, Division(1, 1, 4)) < alone / 1.5


@pytest.mark.parametrize("neurons", [1e6, 1e8])
def test_the_best_division_fits_and_none_that_fits_is_faster(neurons):
    network = Network(neurons)
    division, price = best(network, GPU, 512)
    assert division.devices == 512 and price.memory_bytes <= GPU.memory_bytes
    for other in divisions(512, network):
        another = cost(network, GPU, other)
        assert another.memory_bytes > GPU.memory_bytes or another.seconds >= price.seconds


@pytest.mark.parametrize("activity", [None, 0.05])
def test_the_model_is_near_what_was_measured(activity):
    found = cases(RESULTS, "a", activity)
    if len(found) < 3:
        pytest.skip("the results have too few cases")
    machine = fitted(RESULTS, activity)
    for run, figures in found:
        if min(run["sizes"]) >= 512:  # smaller ones are bound by the loop
            assert predicted(machine, run) == pytest.approx(figures["wall_s"]["median"], rel=0.35), run["name"]


def test_the_page_has_the_tables_that_the_program_makes():
    assert program.page(RESULTS) in (ROOT / "proposals" / "scale.md").read_text()


def _times(page, title):
    """Seconds of an update, and the share of computing in %, by numbers of neurons and devices, of a table of the page."""
    units = {"ms": 1e-3, "s": 1.0, "ks": 1e3}
    rows = re.findall(
        r"^\| (10\^\d) \| (\d+) \| [^|]+ \| [^|]+ \| ([\d.]+) (\w+) \| (\d+)% ",
        page.split(title)[1].split("###")[0],
        re.M,
    )
    return {(n, int(count)): (float(t) * units[unit], int(share)) for n, count, t, unit, share in rows}


def test_what_the_page_says_in_words_is_in_its_tables():
    page = (ROOT / "proposals" / "scale.md").read_text()
    ratios = [float(ratio) for ratio in re.findall(r"^\| \([ag]\) .* \| ([\d.]+) \|$", page, re.M)]
    assert len(ratios) > 5
    assert all(2 / 3 < ratio < 4 / 3 for ratio in ratios), "within a third"
    gpu, cpu = _times(page, "### Divisions, cluster"), _times(page, "### Divisions, two cores")
    slower = [cpu[case][0] / gpu[case][0] for case in cpu if case in gpu]
    assert min(slower) == pytest.approx(20, rel=0.2)
    assert max(slower) == pytest.approx(260, rel=0.1)
    (seconds,) = re.findall(r"an update of 10\^6 neurons in some ([\d.]+) seconds", page)
    assert cpu["10^6", 64][0] == pytest.approx(float(seconds), rel=0.05)
    assert all(share > 50 for (_, count), (_, share) in cpu.items() if count <= 64)
