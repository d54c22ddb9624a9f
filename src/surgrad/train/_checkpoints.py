"""Checkpoints of a training run, written and read by Orbax."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

import jax
import numpy as np

from surgrad._extras import missing
from surgrad._numbers import require_whole
from surgrad._structure import Described, restored
from surgrad._types import PyTree

FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Checkpoints:
    """Where and how often `fit`, or `meta.tune`, writes checkpoints, and how many stay.

    A checkpoint is written beside the earlier ones and takes its name when it is complete, so that a process that is
    killed while it writes leaves the earlier ones as they were. Orbax writes and reads them.

    Parameters:
        folder: the folder of one run, made if it is missing.
        every: epochs from one checkpoint to the next, >= 1; of `tune`, comparisons. The last one has one in any case.
        every_steps: updates from one checkpoint to the next within an epoch, >= 1; None: none within an epoch. Of
            `tune`, updates of each run before it is compared.
        keep: number of the newest checkpoints that stay, >= 1.

    Raises:
        ImportError: Orbax is not installed.
        TypeError: the folder is no path.
        ValueError: a number is out of range.
    """

    folder: str | os.PathLike[str]
    every: int = 1
    every_steps: int | None = None
    keep: int = 2

    def __post_init__(self) -> None:
        if not isinstance(self.folder, (str, os.PathLike)):
            raise TypeError(f"Checkpoints: folder must be a path, got {self.folder!r}.")
        require_whole("Checkpoints", every=self.every, keep=self.keep)
        if self.every_steps is not None:
            require_whole("Checkpoints", every_steps=self.every_steps)
        _orbax()


def _orbax() -> Any:
    try:
        import orbax.checkpoint
    except ModuleNotFoundError as error:
        raise ImportError(missing("train.Checkpoints", "optax", "orbax")) from error
    return orbax.checkpoint


class Store:
    """The folder of checkpoints of a run, while it is open. Each is a tree of arrays, and a report of plain JSON.

    Of several processes that share a run the first one writes, and the others read.

    Parameters:
        checkpoints: the folder, and how many stay.
        writes: whether this process writes.
        writer: the function whose checkpoints these are.
    """

    def __init__(self, checkpoints: Checkpoints, writes: bool = True, writer: str = "fit") -> None:
        self.writer = writer
        self.ocp, self.path, self.writes = _orbax(), Path(checkpoints.folder).absolute(), writes
        process = jax.process_index()  # Orbax would have all processes write together otherwise
        options = self.ocp.CheckpointManagerOptions(
            max_to_keep=checkpoints.keep,
            cleanup_tmp_directories=writes,
            create=False,
            enable_async_checkpointing=False,
            multiprocessing_options=self.ocp.options.MultiprocessingOptions(
                primary_host=process, active_processes={process}, barrier_sync_key_prefix=f"fit{process}"
            ),
        )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            why = "it is no folder" if isinstance(error, FileExistsError) else error.strerror
            raise type(error)(error.errno, f"{self.writer}: cannot use {self.path} for checkpoints: {why}") from error
        self.manager = self.ocp.CheckpointManager(self.path, options=options)

    def latest(self) -> int | None:
        """The step of the newest complete checkpoint, None if there is none."""
        if not self.writes:
            self.manager.reload()
        return self.manager.latest_step()

    def report(self, step: int) -> dict[str, Any]:
        """The report of a checkpoint.

        Raises:
            ValueError: it is damaged, of a newer format, or of another function.
        """
        found = self._read(step, report=self.ocp.args.JsonRestore())["report"]
        if (writer := found.get("writer", "fit")) != self.writer:
            raise ValueError(
                f"{self.writer}: the checkpoints in {self.path} were written by {writer}; give another folder."
            )
        if found["format"] > FORMAT:
            raise ValueError(
                f"{self.writer}: the checkpoint of step {step} in {self.path} was written by surgrad "
                f"{found['surgrad']}, in a format that this version does not read; install a newer one."
            )
        return found

    def arrays(self, step: int, report: dict[str, Any]) -> Any:
        """The tree of a checkpoint, whose lists are lists of leaves.

        Raises:
            ValueError: it is damaged.
        """
        args = self.ocp.RestoreArgs(restore_type=np.ndarray)
        wanted = dict.fromkeys(report["stored"], args)
        found = self._read(step, arrays=self.ocp.args.PyTreeRestore(restore_args=wanted))["arrays"] if wanted else {}
        return restored(report["tree"], lambda place: _stored(found, report, place), {})

    def save(self, step: int, tree: PyTree, report: dict[str, Any]) -> None:
        """Write a checkpoint.

        Raises:
            OSError: it cannot be written; earlier ones are as they were.
        """
        described = Described(tree)
        arrays = {str(i): np.asarray(array) for i, array in enumerate(described.arrays)}
        stored = {name: array for name, array in arrays.items() if array.size}  # Orbax takes no empty arrays
        empty = {name: [array.dtype.str, array.shape] for name, array in arrays.items() if not array.size}
        version = import_module(__name__.partition(".")[0]).__version__
        head = {
            "format": FORMAT,
            "writer": self.writer,
            "surgrad": version,
            "tree": described.structure,
            "stored": list(stored),
            "empty": empty,
        }
        parts = {"report": self.ocp.args.JsonSave(head | report)}
        if stored:
            parts["arrays"] = self.ocp.args.PyTreeSave(stored)
        before = self.latest()
        try:
            self.manager.save(step, args=self.ocp.args.Composite(**parts), force=True)
        except Exception as error:  # Orbax and TensorStore wrap the errors of the file system in several of their own
            for unfinished in self.path.glob(f"{step}.*tmp*"):
                shutil.rmtree(unfinished, ignore_errors=True)
            kept = "there is none before it" if before is None else f"that of step {before} is as it was"
            raise OSError(
                f"{self.writer}: cannot write the checkpoint of step {step} to {self.path}: {_reason(error)}; {kept}. "
                f"Make room on the disk, or mend what this says, and start the same program again."
            ) from error

    def _read(self, step: int, **parts: Any) -> Any:
        try:
            return self.manager.restore(step, args=self.ocp.args.Composite(**parts))
        except Exception as error:
            raise ValueError(
                f"{self.writer}: the checkpoint of step {step} in {self.path} is damaged, or was not written by "
                f"{self.writer} ({_reason(error)}); delete {self.path / str(step)} to go on from the one before, if "
                f"there is one."
            ) from error

    def close(self) -> None:
        """Close the folder."""
        self.manager.close()


def _stored(found: dict[str, np.ndarray], report: dict[str, Any], place: int) -> np.ndarray:
    if str(place) in found:
        return np.asarray(found[str(place)])
    dtype, shape = report["empty"][str(place)]
    return np.zeros(shape, dtype)


def _reason(error: BaseException) -> str:
    """What the file system says, or else the beginning of what an error says."""
    if code := re.search(r"os_error_code='(\d+)'", str(error)):
        return os.strerror(int(code[1]))
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{type(error).__name__}: {(str(error).splitlines() or ['no message'])[0][:200]}"
