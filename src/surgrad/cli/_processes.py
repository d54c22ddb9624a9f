"""Processes of `surgrad train` that train one network together: started, watched, and brought back if one is killed."""

from __future__ import annotations

import argparse
import atexit
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import IO, Any

from surgrad.cli._signals import Stop, stop_on_signals
from surgrad.cli._usage import UsageError, at_least

POLL = 0.05
"""Seconds between two looks at the processes."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add = parser.add_argument
    text = "train each network in N processes of this machine, each of which has a part of every batch"
    add("--processes", type=at_least(1), metavar="N", help=text)
    text = "how often at most all of them start again from the last checkpoint, after one was killed"
    add("--restarts", type=at_least(0), default=3, metavar="R", help=text)
    add(
        "--process", type=at_least(0), metavar="K", help="be process K of the N, to start them by hand, on any machines"
    )
    text = "where process 0 listens, for processes that are started by hand"
    add("--coordinator", metavar="HOST:PORT", help=text)
    add("--supervised", action="store_true", help=argparse.SUPPRESS)


def wanted(options: argparse.Namespace) -> bool:
    """Whether this process is to start others and watch them.

    Raises:
        UsageError: the options contradict each other.
    """
    if options.process is None and options.coordinator is None:
        if options.processes is not None and _in_slurm():
            raise UsageError(
                "--processes is for one machine; the tasks of this step of Slurm are the processes already."
            )
        return options.processes is not None
    if None in (options.processes, options.process, options.coordinator):
        raise UsageError("processes that are started by hand need --processes N --process K --coordinator HOST:PORT.")
    if options.process >= options.processes:
        raise UsageError(f"--process must be 0 to {options.processes - 1}, got {options.process}.")
    return False


def mesh() -> Any:
    """The mesh of all devices of all processes, None if there is one process."""
    import jax
    import numpy as np

    return None if jax.process_count() == 1 else jax.sharding.Mesh(np.array(jax.devices()), ("data",))


@contextmanager
def joined(options: argparse.Namespace) -> Iterator[bool]:
    """Become one of several processes if that is asked for; tells whether this one writes and prints."""
    if options.process is None and not _in_slurm():
        yield True
        return
    import jax
    from jax.experimental import multihost_utils

    _join(options)
    try:
        yield jax.process_index() == 0
        multihost_utils.sync_global_devices("surgrad train has ended")
    except BaseException as error:
        if options.supervised and isinstance(error, jax.errors.JaxRuntimeError):
            time.sleep(10)  # another process has died; this one is ended before it complains of that
        # At its end JAX would wait for the other processes, which wait for this one.
        code = 2 if isinstance(error, UsageError) else 130 if isinstance(error, KeyboardInterrupt) else 1
        atexit.register(_leave, code)
        raise


def _leave(code: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _join(options: argparse.Namespace) -> None:
    import jax

    ours: dict[str, Any] = {}
    if options.supervised:
        threading.Thread(target=_end_with_supervisor, daemon=True).start()
        ours = {"local_device_ids": [options.process], "coordinator_bind_address": options.coordinator}
    _keep_output_to_python()
    # What is None here is known from Slurm.
    jax.distributed.initialize(options.coordinator, options.processes, options.process, **ours)


def _keep_output_to_python() -> None:
    """Send what libraries print to standard error; Gloo prints a line when processes have met."""
    sys.stdout.flush()
    sys.stdout = os.fdopen(os.dup(1), "w", encoding=sys.stdout.encoding)
    os.dup2(2, 1)


def _in_slurm() -> bool:
    """Whether this is one of several tasks of `srun`."""
    return int(os.environ.get("SLURM_STEP_NUM_TASKS", 1)) > 1


def _end_with_supervisor() -> None:
    os.read(sys.stdin.fileno(), 1)  # returns when the supervisor has ended, also by SIGKILL
    os._exit(1)


def supervise(options: argparse.Namespace) -> int:
    """Start the processes, again if one is killed, and return the exit code of the run."""
    code = 0
    command = [sys.executable, "-m", "surgrad", "train", str(options.file), "--processes", str(options.processes)]
    command += ["--supervised", *(["--out", options.out] if options.out else [])]
    with stop_on_signals() as stop:
        for left in reversed(range(options.restarts + 1)):
            code, text = _run(command, options.processes, stop)
            if stop.signal is not None:
                print("stopped; start the same command again to go on", file=sys.stderr)
                return 128 + stop.signal
            if code >= 0:
                print(text, end="", file=sys.stderr)
                return code
            again = f"all start again from the last checkpoint ({left} times at most)"
            again = again if left else "this was once too often; the same command goes on from the last checkpoint"
            print(f"a process was ended by {signal.Signals(-code).name}; {again}", file=sys.stderr, flush=True)
    return 128 - code


def _run(command: list[str], count: int, stop: Stop) -> tuple[int, str]:
    """Run the processes until all have ended well or one has not.

    Returns:
        0, or what `Popen.returncode` is of the one that did not; and what it said if it is not the first one.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    alive: list[subprocess.Popen[bytes]] = []
    with ExitStack() as files:
        said = [files.enter_context(tempfile.TemporaryFile()) for _ in range(count)]
        try:
            for k in range(count):
                place = ["--process", str(k), "--coordinator", address]
                alive.append(_started([*command, *place], said[k] if k else None))
            while stop.signal is None:
                codes = [process.poll() for process in alive]
                if any(codes):
                    return _first_failure([process.poll() for process in alive], said)
                if None not in codes:
                    break
                time.sleep(POLL)
            return 0, ""
        finally:
            for process in alive:
                process.kill()
            for process in alive:
                process.communicate()


def _started(command: list[str], errors: IO[bytes] | None) -> subprocess.Popen[bytes]:
    """A process in a session of its own, so that the interrupt of a terminal comes to the supervisor alone."""
    output = None if errors is None else subprocess.DEVNULL
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=errors, start_new_session=True)


def _first_failure(codes: Sequence[int | None], said: Sequence[IO[bytes]]) -> tuple[int, str]:
    """The exit code of a process that a signal has ended, else of the first that failed, and what it said."""
    failed = sorted((code > 0, k) for k, code in enumerate(codes) if code)
    k = failed[0][1]
    said[k].seek(0)
    return codes[k] or 0, said[k].read().decode(errors="replace")
