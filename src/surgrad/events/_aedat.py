"""Files in the format AEDAT 3.1 of iniVation: packets of events of an event camera.

A header of text lines, which ends with `#!END-HEADER`, is followed by packets. A packet is a header of 28 bytes (type,
source, size of an event, offset of its time, overflows of the clock, capacity, number of events, valid events; the
lowest byte of each number first) and its events. A polarity event (type 1) is an address and a time in microseconds, 4
bytes each: bit 0 of the address says whether it is valid, bit 1 is the polarity, bits 2 to 16 are the row, 17 to 31 the
column.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

_VERSION, _END = b"#!AER-DAT3.1", b"#!END-HEADER"
_HEADER = struct.Struct("<2H6I")
_POLARITY, _BYTES = 1, 8
_EVENT = np.dtype([("address", "<u4"), ("time", "<u4")])


class Packet(NamedTuple):
    """Where the polarity events of a packet are, and their times in microseconds.

    Parameters:
        offset: of the first event in the file.
        events: number of events.
        overflows: how often the clock of 31 bits had started anew.
        first, last: times of the first and of the last event.
    """

    offset: int
    events: int
    overflows: int
    first: int
    last: int


class AedatFile:
    """The polarity events of a file, by time; only an index of its packets is kept.

    Parameters:
        path: path of the file.

    Raises:
        ValueError: it is no file of that format, or is cut off.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            self.packets = self._index(file)

    def between(self, start: int, end: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The events with start <= time < end in order: times, rows, columns, and whether they are brighter.

        Parameters:
            start, end: microseconds of the camera's clock.
        """
        parts = [np.zeros((2, 0), np.int64)]
        with self.path.open("rb") as file:
            for packet in self.packets:
                if packet.last >= start and packet.first < end:
                    file.seek(packet.offset)
                    parts.append(self._events(file.read(packet.events * _BYTES), packet.overflows))
        address, times = np.concatenate(parts, axis=1)
        inside = (times >= start) & (times < end) & (address & 1 == 1)
        address, times = address[inside], times[inside]
        order = np.argsort(times, kind="stable")
        address = address[order]
        return times[order], address >> 2 & 0x7FFF, address >> 17 & 0x7FFF, address >> 1 & 1

    def _index(self, file: IO[bytes]) -> list[Packet]:
        size = file.seek(0, 2)
        file.seek(0)
        self._skip_header(file)
        packets = []
        while (offset := file.tell()) < size:
            header = file.read(_HEADER.size)
            if len(header) < _HEADER.size:
                raise self._cut_off(
                    f"the header of a packet at byte {offset} has {len(header)} of {_HEADER.size} bytes"
                )
            kind, _, event, _, overflows, capacity, count, _ = _HEADER.unpack(header)
            begin, length = offset + _HEADER.size, capacity * event
            if capacity != count or (kind == _POLARITY and event != _BYTES):
                raise ValueError(
                    f"{self.path}: the packet at byte {offset} states {count} events in the room of {capacity}, "
                    f"{event} bytes each; polarity events have {_BYTES}, and no room is left. The file is damaged."
                )
            if begin + length > size:
                raise self._cut_off(f"the packet at byte {offset} should have {length} bytes, has {size - begin}")
            if kind == _POLARITY and count:
                times = self._events(file.read(length), overflows)[1]
                packets.append(Packet(begin, count, overflows, int(times.min()), int(times.max())))
            file.seek(begin + length)
        return packets

    def _skip_header(self, file: IO[bytes]) -> None:
        line = first = file.readline(1024)
        if not first.startswith(_VERSION):
            raise ValueError(
                f"{self.path}: must begin with {_VERSION.decode()!r}, the mark of AEDAT 3.1, got {first[:20]!r}."
            )
        while not line.startswith(_END):
            line = file.readline(1 << 16)
            if not line.startswith(b"#"):
                raise ValueError(f"{self.path}: its header does not end with {_END.decode()!r}; it may be cut off.")

    def _events(self, content: bytes, overflows: int) -> np.ndarray:
        events = np.frombuffer(content, _EVENT)
        return np.stack([events["address"].astype(np.int64), events["time"].astype(np.int64) + (overflows << 31)])

    def _cut_off(self, what: str) -> ValueError:
        return ValueError(f"{self.path}: {what}; the file is cut off.")
