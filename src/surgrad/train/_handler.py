"""The handler by which Orbax writes a checkpoint: a report and arrays in one file."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import orbax.checkpoint as ocp

from surgrad._files import pack, unpack

ITEM, FILE = "state", "state.zip"
"""A checkpoint is the folder of its step; what Orbax calls an item is a folder in it, here with one file."""


class OneFile(ocp.CheckpointHandler):
    """Writes the archive of `surgrad.save`, whose entries have checksums, and waits until it is on the disk.

    Orbax' own handlers write by TensorStore, which keeps memory of each checkpoint, so that a long run grows; 6 kB for
    15 arrays (version 0.12.8 of Orbax, 0.1.86 of TensorStore). Orbax still makes the folders, gives a complete one its
    name, deletes old ones and finds the newest one.
    """

    def save(self, directory: Any, args: Save) -> None:
        pack(Path(directory) / FILE, json.dumps(args.report), args.arrays)

    def restore(self, directory: Any, args: Restore) -> tuple[dict[str, Any], list[np.ndarray]]:
        del args
        return unpack(Path(directory) / FILE)


@ocp.args.register_with_handler(OneFile, for_save=True)
@dataclasses.dataclass
class Save(ocp.args.CheckpointArgs):
    """What is written: plain JSON, and arrays of NumPy's own types."""

    report: dict[str, Any]
    arrays: list[np.ndarray]


@ocp.args.register_with_handler(OneFile, for_restore=True)
@dataclasses.dataclass
class Restore(ocp.args.CheckpointArgs):
    """Asks for both."""
