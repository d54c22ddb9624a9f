"""A soak: whether memory, open files and threads stay flat while runs are trained, interrupted and resumed for long.

    python -m benchmarks.soak --minutes 60 --out benchmarks/soak.json [--anew]

One process repeats a round: `train.fit` with checkpoints and a table of CSV, which a callback breaks off in the middle;
the same call again, which resumes it; and a small study in a new database, twice, of which the second time finds all
rows. Between rounds it waits, so that it takes half a core. Written are the samples as JSON, and beside it a page and a
picture; `--alone 60` adds how memory grows by checkpoints alone, of `fit` and of Orbax' own handlers.
With `--anew` each round builds its optimiser, loss and metric anew, as a loop does in which they are written.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

import surgrad
from surgrad import study, tasks, train
from surgrad.nn import LIF, LeakyIntegrator, Linear, Recurrent, Sequential
from surgrad.train._checkpoints import Store

LIMIT = 0.02
"""Flat is: over the second half of the time, the fitted growth, and the difference between the medians of the second
and of the last quarter, are below this share of the median; and of what is `COUNTED`, the medians do not rise."""
PAUSE = 2.0
"""Seconds of wall time for one of CPU time."""
KEY = jax.random.key(0)
QUANTITIES = {
    "memory": "memory, MB",
    "objects": "objects of Python",
    "files": "open files",
    "threads": "threads",
    "arrays": "arrays on the device",
    "programs": "programs compiled",
}
COUNTED = ("files", "threads", "arrays", "programs")


class Sample(NamedTuple):
    """What the operating system, Python and JAX say of this process after a round."""

    minutes: float
    memory: float
    objects: int
    files: int
    threads: int
    arrays: int
    programs: int


class Parts(NamedTuple):
    """The functions that `fit` is given."""

    optimizer: Any
    loss: Callable[..., Any]
    metric: Callable[..., Any]


def parts() -> Parts:
    """An optimiser, a loss and a metric."""

    def loss(network: Any, batch: Any) -> Any:
        return train.score(network, batch).loss

    def accuracy(network: Any, batch: Any) -> Any:
        return train.score(network, batch).accuracy

    return Parts(optax.adam(5e-3), loss, accuracy)


class BrokenOffError(Exception):
    """Raised by a callback."""


def break_off(event: Any) -> None:
    """The callback that ends a run in the middle."""
    if event.epoch == 2:
        raise BrokenOffError


def network(channels: int) -> Sequential:
    """A network with recurrence."""
    first, second, third = jax.random.split(KEY, 3)
    hidden = Recurrent(LIF(surgrad.Arctan(2.0), 10.0), 16, key=second, gain=0.5)
    return Sequential(
        Linear(channels, 16, key=first, gain=3.0), hidden, Linear(16, 2, key=third), LeakyIntegrator(10.0)
    )


def one_round(folder: Path, data: tasks.Split, given: Parts) -> None:
    """A run that is broken off and resumed, and a study that is run twice."""
    options: dict[str, Any] = {
        "optimizer": given.optimizer,
        "key": KEY,
        "epochs": 4,
        "batch_size": 16,
        "loss": given.loss,
        "validation": data.test,
        "metrics": {"accuracy": given.metric},
        "checkpoints": train.Checkpoints(folder / "checkpoints", every_steps=3),
        "track": train.CSV(folder / "metrics.csv"),
    }
    try:
        train.fit(network(data.train.channels), data.train, callbacks=[break_off], **options)
    except BrokenOffError:
        done = train.fit(network(data.train.channels), data.train, **options)
    if [row["epoch"] for row in done.history] != [1, 2, 3, 4]:
        raise SystemExit(f"the run was not resumed: {done.history}")
    variants = study.scaled(surgrad.Arctan(), (1.0, 10.0))
    settings = study.Settings(
        "temporal_xor", (("samples", 64),), seeds=(0, 1), epochs=1, steps=16, hidden=8, batch=16, mapping="map"
    )
    small = study.Study("soak", variants, settings)
    rows = [small.run(f"sqlite:///{folder / 'results.db'}") for _ in range(2)]
    if rows[0] != rows[1] or len(rows[0]) != len(small.runs):
        raise SystemExit("the study that was run again has other rows")


def checkpoints() -> int:
    """How many checkpoints a run of the soak writes."""
    of_epoch = len(tasks.temporal_xor(samples=96, steps=16).train) // 16
    return sum(step % 3 == 0 or step % of_epoch == 0 for step in range(1, 4 * of_epoch + 1))


ARRAYS = {str(i): np.zeros((20, 16), np.float32) for i in range(15)}


def by_fit(folder: Path) -> None:
    """As many checkpoints as a run writes, without training, as `fit` writes them."""
    store = Store(train.Checkpoints(folder))
    for step in range(checkpoints()):
        store.save(step, ARRAYS, {})
    store.close()


def by_orbax(folder: Path) -> None:
    """The same by Orbax' own handlers."""
    import orbax.checkpoint as ocp

    options = ocp.CheckpointManagerOptions(max_to_keep=2, enable_async_checkpointing=False)
    parts = ocp.args.Composite(arrays=ocp.args.PyTreeSave(ARRAYS), report=ocp.args.JsonSave({}))
    with ocp.CheckpointManager(folder, options=options) as manager:
        for step in range(checkpoints()):
            manager.save(step, args=parts, force=True)


def growth(write: Callable[[Path], None], rounds: int) -> float:
    """MB by which memory grows with each folder that is written, over the second half of so many."""
    memory: list[float] = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder))
        gc.collect()
        memory.append(sample(0.0, 0).memory)
    return float(np.polyfit(np.arange(rounds // 2, rounds), memory[rounds // 2 :], 1)[0])


def sample(begun: float, programs: int) -> Sample:
    """The state of this process, in part from Linux' files."""
    status = Path("/proc/self/status").read_text().splitlines()
    found = {line.partition(":")[0]: line.split()[1] for line in status if line.startswith(("VmRSS", "Threads"))}
    files = len(os.listdir("/proc/self/fd")) - 1  # one of them is that of this folder
    memory, threads = int(found["VmRSS"]) / 1e3, int(found["Threads"])
    minutes, arrays = (time.monotonic() - begun) / 60, len(jax.live_arrays())
    return Sample(minutes, memory, len(gc.get_objects()), files, threads, arrays, programs)


def soak(minutes: float, anew: bool, keep: Callable[[list[Sample]], None]) -> list[Sample]:
    """A sample after each round of so many minutes; each ten of them, and all at the end, are kept."""
    compiled: list[str] = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda name, seconds, **others: compiled.append(name) if name.endswith("backend_compile_duration") else None
    )
    data, fixed = tasks.temporal_xor(samples=96, steps=16), parts()
    begun, samples = time.monotonic(), list[Sample]()
    while time.monotonic() < begun + 60 * minutes:
        wall, cpu = time.monotonic(), time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            one_round(Path(folder), data, parts() if anew else fixed)
        gc.collect()
        samples.append(sample(begun, len(compiled)))
        if len(samples) % 10 == 0:
            keep(samples)
        time.sleep(max(0.0, PAUSE * (time.process_time() - cpu) - (time.monotonic() - wall)))
    keep(samples)
    return samples


def judged(minutes: np.ndarray, values: np.ndarray) -> dict[str, float]:
    """The slope over the second half of the time, and the medians of the second and of the last quarter."""
    whole = minutes[-1]
    half = minutes >= whole / 2
    second, last = (minutes >= whole / 4) & ~half, minutes >= 3 * whole / 4
    slope = np.polyfit(minutes[half], values[half], 1)[0]
    medians = float(np.median(values[second])), float(np.median(values[last]))
    return {"growth": float(slope) * whole / 2, "second quarter": medians[0], "last quarter": medians[1]}


def verdict(samples: Sequence[Sample]) -> dict[str, Any]:
    """What is flat."""
    minutes = np.array([one.minutes for one in samples])
    found: dict[str, Any] = {
        name: judged(minutes, np.array([getattr(one, name) for one in samples], float)) for name in QUANTITIES
    }
    for name, numbers in found.items():
        more, most = numbers["last quarter"] - numbers["second quarter"], LIMIT * numbers["second quarter"]
        numbers["flat"] = bool(more <= 0 if name in COUNTED else max(numbers["growth"], more) <= most)
    return found


def versions() -> str:
    """What was installed."""
    packages = ", ".join(f"{name} {metadata.version(name)}" for name in ("jax", "jaxlib", "optax", "orbax-checkpoint"))
    return f"surgrad {surgrad.__version__}, {packages}, sqlalchemy {metadata.version('sqlalchemy')}; Python " + (
        f"{platform.python_version()}, CPU"
    )


def page(found: dict[str, Any], picture: str) -> str:
    """The page of a result."""
    rounds, minutes = len(found["samples"]), found["samples"][-1][0]
    lines = [
        "# A soak",
        "",
        f"`{found['command']}`: one process repeats a round, {rounds} times in {minutes:.2g} of",
        f"{found['minutes']:g} minutes. A round is a run of `train.fit` with checkpoints and a table of CSV, which is",
        "broken off and resumed, and a small study in a new database, run twice. Between rounds it waits, so that it",
        "takes half a core.",
        "",
        f"{found['versions']}.",
        "",
        "Memory is what is resident.",
        "",
        "| quantity | median, second quarter | median, last quarter | fitted growth, second half | flat |",
        "|-|-|-|-|-|",
    ]
    for name, numbers in found["verdict"].items():
        cells = (f"{numbers[part]:,.2f}" for part in ("second quarter", "last quarter", "growth"))
        lines.append(f"| {QUANTITIES[name]} | {' | '.join(cells)} | {'yes' if numbers['flat'] else '**no**'} |")
    lines += [
        "",
        "Memory and objects count as flat if the growth that a straight line shows over the second half, and the",
        f"difference of the medians, are at most {100 * LIMIT:.0f} % of the median; the others, if the medians do not",
        "rise.",
        "",
        "What objects and memory still grow by is a cache of JAX, which is bounded: an eager `jax.vmap` of a function",
        "that computes with an array of its own leaves an entry there. A study measures its surrogates in this way.",
    ]
    if by := found.get("alone"):
        lines += [
            "",
            f"A round writes {by['checkpoints']} checkpoints. Checkpoints alone, without training, grow memory by "
            f"{1e3 * by['fit']:.1f} kB a round;",
            f"with the handlers of Orbax itself, in place of that of surgrad, it would be {1e3 * by['orbax']:.0f} kB",
            f"(`--alone {by['rounds']}`, second half of the rounds).",
        ]
    return "\n".join([*lines, "", f"![Each of these over time]({picture})", ""])


def write(found: dict[str, Any], path: Path) -> None:
    """A result as JSON, and its page beside it."""
    path.write_text(json.dumps(found) + "\n")
    path.with_suffix(".md").write_text(page(found, path.with_suffix(".png").name))


def draw(samples: Sequence[Sample], path: Path) -> None:
    """The picture: one panel for each quantity."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(QUANTITIES), sharex=True, figsize=(7, 11), layout="constrained")
    for axis, (name, label) in zip(axes, QUANTITIES.items(), strict=True):
        axis.plot([one.minutes for one in samples], [getattr(one, name) for one in samples])
        axis.set_ylabel(label)
        axis.set_ylim(0, 1.15 * max(getattr(one, name) for one in samples))
    axes[-1].set_xlabel("time, minutes")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main() -> None:
    """Run the soak; the exit code is 1 if something is not flat."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/soak.json"))
    parser.add_argument("--anew", action="store_true", help="build optimiser, loss and metric anew in each round")
    parser.add_argument("--alone", type=int, metavar="ROUNDS", help="add to a result how checkpoints alone grow memory")
    options = parser.parse_args()
    command = f"python -m benchmarks.soak --minutes {options.minutes:g}{' --anew' * options.anew}"

    def keep(samples: list[Sample]) -> None:
        found = {"command": command, "minutes": options.minutes, "versions": versions(), "limit": LIMIT}
        found |= {"verdict": verdict(samples)}
        write(found | {"fields": Sample._fields, "samples": samples}, options.out)

    if options.alone:
        found = json.loads(options.out.read_text())
        found["alone"] = {"rounds": options.alone, "checkpoints": checkpoints()}
        found["alone"] |= {"fit": growth(by_fit, options.alone), "orbax": growth(by_orbax, options.alone)}
        write(found, options.out)
    else:
        draw(soak(options.minutes, options.anew, keep), options.out.with_suffix(".png"))
    print(options.out.with_suffix(".md").read_text())
    found = json.loads(options.out.read_text())
    sys.exit(not all(numbers["flat"] for numbers in found["verdict"].values()))


if __name__ == "__main__":
    main()
