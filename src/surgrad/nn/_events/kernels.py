"""Kernels of the event-driven products in Numba, and the handlers through which XLA calls them.

Importing this module imports Numba. Everything is in one file, because Numba's cache only notices changes in the file
of a function itself.

The kernels take four non-zeros at a time, so that a row of the result is read and written a quarter as often. Terms are
added in the order of the inputs, or of the rows, and nothing is reassociated.

XLA calls a handler with the address of a call frame, whose layout is in `xla/ffi/api/c_api.h`. The fields that are read
here had the same places in versions 0.1 to 0.5 of the interface, the newest when this was written. Offsets count words
of 8 bytes. Those whose names end in 4 count words of 4 bytes: they are of enums and versions, which fill half a word.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, cfunc, njit, types  # pyright: ignore[reportPrivateImportUsage]
from numba.extending import intrinsic

FRAME_EXTENSION, FRAME_STAGE4, FRAME_ARGS, FRAME_RETS = 1, 8, 9, 14
EXTENSION_TYPE4, EXTENSION_METADATA = 2, 3
METADATA_MAJOR4, METADATA_MINOR4, METADATA_TRAITS4 = 6, 7, 8
BUFFER_DATA, BUFFER_DIMS = 3, 5

METADATA, EXECUTE, OK = 1, 3, 0
MAJOR, MINOR = 0, 1
"""The version of the interface that is used here; an XLA that no longer supports it refuses the handler."""

BLOCK = 128
"""Number of rows of a transposed product whose non-zeros are listed at once; they stay in the processor's cache."""

compiled: Any = njit(nogil=True, cache=True, error_model="numpy")


@compiled
def _list_events(row, where):
    """List the indices of the non-zeros of a row, NaN included, and return their number, without a branch."""
    count = 0
    for j in range(row.size):
        where[count] = j
        count += row[j] != 0
    return count


@compiled
def _add_rows(out, x, rows, where, count):
    """Add the sum of x[j] · rows[j] over the listed j to `out`."""
    full = count - count % 4
    for t in range(0, full, 4):
        j0, j1, j2, j3 = where[t], where[t + 1], where[t + 2], where[t + 3]
        x0, x1, x2, x3 = x[j0], x[j1], x[j2], x[j3]
        row0, row1, row2, row3 = rows[j0], rows[j1], rows[j2], rows[j3]
        for c in range(out.size):
            out[c] = out[c] + x0 * row0[c] + x1 * row1[c] + x2 * row2[c] + x3 * row3[c]
    for t in range(full, count):
        x0, row0 = x[where[t]], rows[where[t]]
        for c in range(out.size):
            out[c] += x0 * row0[c]


@compiled
def product(left, right, out):
    """Write left · right to `out`, visiting the non-zeros of `left`."""
    where = np.empty(left.shape[1], np.int64)
    for r in range(left.shape[0]):
        count = _list_events(left[r], where)
        for c in range(out.shape[1]):
            out[r, c] = 0
        _add_rows(out[r], left[r], right, where, count)


@compiled
def transposed_product(left, right, out):
    """Write leftᵀ · right to `out`, visiting the non-zeros of `left`, listed by column for a block of rows."""
    rows, columns = left.shape
    block = min(BLOCK, rows)
    where = np.empty(columns, np.int64)
    lists = np.empty((columns, block), np.int64)
    for first in range(0, rows, block):
        counts = np.zeros(columns, np.int64)
        for r in range(first, min(first + block, rows)):
            for t in range(_list_events(left[r], where)):
                i = where[t]
                lists[i, counts[i]] = r
                counts[i] += 1
        for i in range(columns):
            if first == 0:
                for c in range(out.shape[1]):
                    out[i, c] = 0
            _add_rows(out[i], left[:, i], right, lists[i], counts[i])


def _cast(typing: Any, address: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.voidptr(types.intp), generate


_pointer: Any = intrinsic(_cast)


@compiled
def _words(address, count):
    return carray(_pointer(address), count, np.int64)


@compiled
def _halves(address, count):
    return carray(_pointer(address), count, np.int32)


@compiled
def _is_call(address):
    """Whether the kernel must run; a frame with an extension asks for the version of the interface instead."""
    extension = _words(address, 15)[FRAME_EXTENSION]
    if extension == 0:
        return _halves(address, 9)[FRAME_STAGE4] == EXECUTE
    if _halves(extension, 3)[EXTENSION_TYPE4] == METADATA:
        metadata = _halves(_words(extension, 4)[EXTENSION_METADATA], 9)
        metadata[METADATA_MAJOR4], metadata[METADATA_MINOR4], metadata[METADATA_TRAITS4] = MAJOR, MINOR, 0
    return False


@compiled
def _matrices(buffers, index, dtype):
    """The operand, or the result, of an index as an array `(batch, rows, columns)`."""
    buffer = _words(_words(buffers, index + 1)[index], 6)
    batch, rows, columns = _words(buffer[BUFFER_DIMS], 3)
    return carray(_pointer(buffer[BUFFER_DATA]), (batch, rows, columns), dtype)


@compiled
def _operands(address, dtype):
    frame = _words(address, 15)
    arguments = frame[FRAME_ARGS]
    return _matrices(arguments, 0, dtype), _matrices(arguments, 1, dtype), _matrices(frame[FRAME_RETS], 0, dtype)


@compiled
def _nn(address, dtype):
    if _is_call(address):
        left, right, out = _operands(address, dtype)
        for i in range(len(out)):
            product(left[i], right[i], out[i])
    return OK


@compiled
def _tn(address, dtype):
    if _is_call(address):
        left, right, out = _operands(address, dtype)
        for i in range(len(out)):
            transposed_product(left[i], right[i], out[i])
    return OK


# Functions of the module, because Numba cannot find closures again in its cache.
def _nn_float32(address):
    return _nn(address, np.float32)


def _nn_float64(address):
    return _nn(address, np.float64)


def _tn_float32(address):
    return _tn(address, np.float32)


def _tn_float64(address):
    return _tn(address, np.float64)


HANDLERS = {
    ("nn", "float32"): _nn_float32,
    ("nn", "float64"): _nn_float64,
    ("tn", "float32"): _tn_float32,
    ("tn", "float64"): _tn_float64,
}


def handler(kind: str, dtype: str) -> Any:
    """The compiled handler of the product `nn` or `tn` in a dtype; its `ctypes` is the function for XLA."""
    return cfunc(types.intp(types.intp), cache=True)(HANDLERS[kind, dtype])
