"""Time to make a batch of SHD's shape from events: 256 recordings x 250 time steps x 700 units, on one core.

SHD itself is not needed: recordings are drawn with as many events as its recordings have, about 9000 in a second, with
the units of a few formants that move. Medians of CPU time and of wall time, in milliseconds; a batch is drawn from the
data set, augmented if asked for, and binned. Beside it: the memory alone (zeros of that size, touched), and the way of
`numpy.histogram2d`, one recording after the other.

    taskset -c 0 python benchmarks/event_batches.py [--batch 256] [--events 9000] [--rounds 15] [--json PATH]
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from surgrad import events

UNITS, STEPS, WIDTH = 700, 250, 0.004
TARGET = 30.0
"""What a batch of 256 recordings may take, ms."""


def recordings(count: int, each: int) -> events.EventDataset:
    """Recordings of 1 s in which three groups of units move."""
    random = np.random.default_rng(0)
    times, units = [], []
    for _ in range(count):
        t = np.sort(random.integers(0, 1_000_000, each))
        centre = random.uniform(100, 600, 3)[random.integers(0, 3, each)]
        times.append(t)
        units.append(
            np.clip(centre + 60 * np.sin(t / 2e5) + random.normal(0, 40, each), 0, UNITS - 1).astype(np.uint16)
        )
    return events.from_arrays(times, units, np.zeros(count, int), num_units=UNITS, time_unit="us")


def touched(count: int) -> np.ndarray:
    """An array of the size of a batch, each page of which was written to."""
    made = np.zeros((STEPS, count, UNITS), np.uint8)
    made.reshape(-1)[::4096] = 1
    return made


def by_histogram(data: events.EventDataset) -> np.ndarray:
    """The same batch by `numpy.histogram2d`."""
    edges = np.arange(STEPS + 1) * round(WIDTH * 1e6), np.arange(UNITS + 1) - 0.5
    made = np.zeros((STEPS, len(data), UNITS), np.uint8)
    for place, one in enumerate(data):
        made[:, place] = np.histogram2d(one.times, one.units, bins=edges)[0] > 0
    return made


def calls(data: events.EventDataset) -> dict[str, Callable[[], Any]]:
    """What is timed, by name."""
    grid: dict[str, Any] = {"bin_width": WIDTH, "num_steps": STEPS}
    augment = [events.ShiftTime(0.02), events.JitterUnits(20.0), events.DropEvents(0.1)]
    draw: dict[str, Any] = {"key": jax.random.key(0), "prefetch": 0, "outside": "drop"} | grid
    return {
        "a batch, 0 or 1": lambda: events.bin_events(data, **grid),
        "a batch, counted": lambda: events.bin_events(data, counts=True, **grid),
        "a batch, shifted, jittered, dropped": lambda: next(events.batches(data, len(data), augment=augment, **draw)),
        "its memory alone": lambda: touched(len(data)),
    }


def medians(timed: dict[str, Callable[[], Any]], rounds: int) -> dict[str, dict[str, float]]:
    """Medians over alternating calls of CPU and wall time, in ms, after one call of each."""
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in timed}
    for turn in range(rounds + 1):
        for name, call in timed.items():
            cpu, wall = time.process_time_ns(), time.perf_counter_ns()
            call()
            if turn:
                samples[name].append(((time.process_time_ns() - cpu) / 1e6, (time.perf_counter_ns() - wall) / 1e6))
    columns = {name: [statistics.median(one) for one in zip(*values, strict=True)] for name, values in samples.items()}
    return {name: dict(zip(("cpu", "wall"), column, strict=True)) for name, column in columns.items()}


def main() -> None:
    """Measure and print, and write JSON if a path is given."""
    parser = argparse.ArgumentParser(description="Time to make a batch of SHD's shape from events.")
    parser.add_argument("--batch", type=int, default=256, help="recordings")
    parser.add_argument("--events", type=int, default=9000, help="events of a recording")
    parser.add_argument("--rounds", type=int, default=15, help="calls of each")
    parser.add_argument("--json", type=Path, help="file to write the numbers to")
    options = parser.parse_args()
    data = recordings(options.batch, options.events)
    few = data[: min(16, options.batch)]
    batch = events.bin_events(few, bin_width=WIDTH, num_steps=STEPS)
    assert (batch.spikes == by_histogram(few)).all()
    found = medians(calls(data), options.rounds)
    found["by numpy.histogram2d"] = medians({"": lambda: by_histogram(data)}, 1)[""]
    print(f"{options.batch} x {STEPS} x {UNITS}, {options.events} events a recording, NumPy {np.__version__}")
    for name, value in found.items():
        print(f"{name:<36} {value['cpu']:7.1f} ms CPU {value['wall']:7.1f} ms wall")
    print(f"target of a batch of 256: at most {TARGET:g} ms")
    if options.json:
        head = {"numpy": np.__version__, "python": platform.python_version(), "target_ms": TARGET, **vars(options)}
        options.json.write_text(json.dumps(head | {"json": None, "median_ms": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
