"""Checkpoints of a training run, written and read by Orbax."""

from __future__ import annotations

import dataclasses
import os
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from surgrad._extras import missing
from surgrad._numbers import require_whole
from surgrad._structure import Described, restored
from surgrad._types import PyTree
from surgrad.train._outline import other_run

FORMAT = 2


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
        from surgrad.train import _handler
    except ModuleNotFoundError as error:
        raise ImportError(missing("train.Checkpoints", "optax", "orbax")) from error
    return _handler


class Found(NamedTuple):
    """A checkpoint that was read: the step, the report, and the tree, whose lists are lists of leaves."""

    step: int
    report: dict[str, Any]
    tree: Any


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
        self.orbax, self.path, self.writes = _orbax(), Path(checkpoints.folder).absolute(), writes
        self.ocp = self.orbax.ocp
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

    def newest(self, same: dict[str, Any]) -> Found | None:
        """The newest complete checkpoint, None if there is none.

        Parameters:
            same: what the run that wrote it must have in common with this one, as of `other_run`.

        Raises:
            ValueError: it is damaged, of another format, of another function, or of another run; the message says what
                differs.
        """
        if (step := self.latest()) is None:
            return None
        report, arrays = self._read(step)
        if (writer := report["writer"]) != self.writer:
            raise ValueError(
                f"{self.writer}: the checkpoints in {self.path} were written by {writer}; give another folder."
            )
        if report["format"] > FORMAT:
            raise ValueError(
                f"{self.writer}: the checkpoint of step {step} in {self.path} was written by surgrad "
                f"{report['surgrad']}, in a format that this version does not read; install a newer one."
            )
        if different := other_run(report, same):
            raise ValueError(
                f"{self.writer}: the checkpoints in {self.path} are of another run; {different}. Give another folder "
                f"to start anew, or what the run had to go on."
            )
        return Found(step, report, restored(report["tree"], arrays.__getitem__, {}))

    def save(self, step: int, tree: PyTree, report: dict[str, Any]) -> None:
        """Write a checkpoint.

        Raises:
            OSError: it cannot be written; earlier ones are as they were.
        """
        described = Described(tree)
        version = import_module(__name__.partition(".")[0]).__version__
        head = {"format": FORMAT, "writer": self.writer, "surgrad": version}
        head |= {"arrays": len(described.arrays), "tree": described.structure}
        args = self.orbax.Save(head | report, described.arrays)
        before = self.latest()
        try:
            self.manager.save(step, args=self.ocp.args.Composite(**{self.orbax.ITEM: args}), force=True)
        except OSError as error:
            for unfinished in self.path.glob(f"{step}.*tmp*"):
                shutil.rmtree(unfinished, ignore_errors=True)
            kept = "there is none before it" if before is None else f"that of step {before} is as it was"
            raise OSError(
                f"{self.writer}: cannot write the checkpoint of step {step} to {self.path}: {_reason(error)}; {kept}. "
                f"Make room on the disk, or mend what this says, and start the same program again."
            ) from error

    def _read(self, step: int) -> tuple[dict[str, Any], list[np.ndarray]]:
        item, file = self.orbax.ITEM, self.orbax.FILE
        if not (self.path / str(step) / item / file).exists():
            raise ValueError(
                f"{self.writer}: the checkpoint of step {step} in {self.path} has no file {item}/{file}: {self.writer} "
                f"of this version of surgrad did not write it. It is as it was; give another folder."
            )
        try:
            args = self.ocp.args.Composite(**{item: self.orbax.Restore()})
            return self.manager.restore(step, args=args)[item]
        except Exception as error:
            raise ValueError(
                f"{self.writer}: the checkpoint of step {step} in {self.path} is damaged ({_reason(error)}); delete "
                f"{self.path / str(step)} to go on from the one before, if there is one."
            ) from error

    def close(self) -> None:
        """Close the folder."""
        self.manager.close()


def _reason(error: BaseException) -> str:
    """What the file system says, or else the beginning of what an error says."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{type(error).__name__}: {(str(error).splitlines() or ['no message'])[0][:200]}"
