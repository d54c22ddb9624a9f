"""Event data: recordings as times and units, their readers, augmentation, binning and batches."""

from typing import NoReturn as _NoReturn

from surgrad._answers import attribute_error as _attribute_error
from surgrad.events._augment import CropTime, DropEvents, JitterUnits, ShiftTime, ShiftUnits
from surgrad.events._batches import batches
from surgrad.events._binning import Batch, bin_events
from surgrad.events._dataset import EventDataset, from_arrays
from surgrad.events._epoch import Epoch
from surgrad.events._gesture import read_dvs_gesture
from surgrad.events._hdf5 import read_hdf5, write_hdf5
from surgrad.events._heidelberg import read_shd, read_ssc
from surgrad.events._nmnist import read_nmnist
from surgrad.events._recording import Events
from surgrad.events._tables import read_csv, read_npz

__all__ = [
    "Batch",
    "CropTime",
    "DropEvents",
    "Epoch",
    "EventDataset",
    "Events",
    "JitterUnits",
    "ShiftTime",
    "ShiftUnits",
    "batches",
    "bin_events",
    "from_arrays",
    "read_csv",
    "read_dvs_gesture",
    "read_hdf5",
    "read_nmnist",
    "read_npz",
    "read_shd",
    "read_ssc",
    "write_hdf5",
]


def __getattr__(name: str) -> _NoReturn:
    raise _attribute_error(__name__, name, __all__)
