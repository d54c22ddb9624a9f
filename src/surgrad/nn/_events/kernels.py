"""Kernels of the event-driven products in Numba, and the handlers through which XLA calls them.

Importing this module imports Numba.
Terms are added in the order of the inputs, or of the rows, and nothing is reassociated.

A product is divided into blocks of rows of the result (`call_frame`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cfunc, types  # pyright: ignore[reportPrivateImportUsage]

from surgrad.nn._events import call_frame as xla
from surgrad.nn._events.call_frame import compiled
from surgrad.nn._events.sums import GROUP, add_pieces, lowest_bit, nonzero_bits

BLOCK = 128
"""Number of rows of a transposed product whose non-zeros are listed at once; they stay in the processor's cache."""
BLOCKS_PER_THREAD, TRANSPOSED_PER_THREAD = 8, 2
"""Blocks for each thread. Those of a transposed product each read the whole right operand, so that there are few."""


@compiled
def list_events(row, first, last, where):
    """List the indices of the non-zeros of a part of a contiguous row, NaN included, and return their number."""
    count, j, one = 0, first, np.uint64(1)
    while j + GROUP <= last:
        bits = nonzero_bits(row, j)
        while bits:
            where[count] = j + lowest_bit(bits)
            count += 1
            bits &= bits - one
        j += GROUP
    for i in range(j, last):  # without a branch
        where[count] = i
        count += row[i] != 0
    return count


@compiled
def _product(left, right, out, first, last):
    """Write rows `first` to `last` of left · right to `out`, visiting the non-zeros of `left`."""
    columns, size, flat = left.shape[1], out.shape[1], right.reshape(-1)
    where = np.empty(columns, np.int64)
    for r in range(first, last):
        count = list_events(left[r], 0, columns, where)
        for c in range(size):
            out[r, c] = 0
        add_pieces(out[r], size, left[r], where, count, flat, 0, size)


@compiled
def _transposed_product(left, right, out, first, last):
    """Write rows `first` to `last` of leftᵀ · right to `out`, visiting the non-zeros of `left`.

    They are listed by column for a block of rows.
    """
    rows, size, flat = left.shape[0], out.shape[1], right.reshape(-1)
    block = min(BLOCK, rows)
    where = np.empty(last - first, np.int64)
    lists = np.empty((last - first, block), np.int64)
    for start in range(0, rows, block):
        counts = np.zeros(last - first, np.int64)
        for r in range(start, min(start + block, rows)):
            for t in range(list_events(left[r], first, last, where)):
                i = where[t] - first
                lists[i, counts[i]] = r
                counts[i] += 1
        for i in range(first, last):
            if start == 0:
                for c in range(size):
                    out[i, c] = 0
            add_pieces(out[i], size, left[:, i], lists[i - first], counts[i - first], flat, 0, size)


@compiled
def _operands(frame, i, dtype):
    """Left, right and result of an element of the batch."""
    batch, rows, columns = xla.shape(frame, -1, 3)
    out = xla.array(frame, -1, (batch, rows, columns), dtype)
    batch, rows, columns = xla.shape(frame, 0, 3)
    left = xla.array(frame, 0, (batch, rows, columns), dtype)
    batch, rows, columns = xla.shape(frame, 1, 3)
    return left[i], xla.array(frame, 1, (batch, rows, columns), dtype)[i], out[i]


@compiled
def _begin(frame, per_thread, task):
    left, (batch, rows, columns) = xla.shape(frame, 0, 3), xla.shape(frame, -1, 3)
    return xla.begin(frame, batch, rows, left[0] * left[1] * left[2] * columns, per_thread, task)


@compiled
def _run_nn(job, dtype):
    """Compute blocks of a job as long as there are any."""
    frame, i, first, last = xla.take(job)
    while i >= 0:
        left, right, out = _operands(frame, i, dtype)
        _product(left, right, out, first, min(last, len(out)))
        xla.done(job)
        frame, i, first, last = xla.take(job)


@compiled
def _run_tn(job, dtype):
    """Compute blocks of a job as long as there are any."""
    frame, i, first, last = xla.take(job)
    while i >= 0:
        left, right, out = _operands(frame, i, dtype)
        _transposed_product(left, right, out, first, min(last, len(out)))
        xla.done(job)
        frame, i, first, last = xla.take(job)


# Functions of the module, because Numba cannot find closures again in its cache.
def _help_nn_float32(job):
    _run_nn(job, np.float32)
    xla.leave(job)


def _help_nn_float64(job):
    _run_nn(job, np.float64)
    xla.leave(job)


def _help_tn_float32(job):
    _run_tn(job, np.float32)
    xla.leave(job)


def _help_tn_float64(job):
    _run_tn(job, np.float64)
    xla.leave(job)


_task_nn_float32, _task_nn_float64 = xla.address_of(_help_nn_float32), xla.address_of(_help_nn_float64)
_task_tn_float32, _task_tn_float64 = xla.address_of(_help_tn_float32), xla.address_of(_help_tn_float64)


def _nn_float32(frame):
    if xla.is_call(frame):
        job = _begin(frame, BLOCKS_PER_THREAD, _task_nn_float32())
        _run_nn(job, np.float32)
        xla.end(job)
    return xla.OK


def _nn_float64(frame):
    if xla.is_call(frame):
        job = _begin(frame, BLOCKS_PER_THREAD, _task_nn_float64())
        _run_nn(job, np.float64)
        xla.end(job)
    return xla.OK


def _tn_float32(frame):
    if xla.is_call(frame):
        job = _begin(frame, TRANSPOSED_PER_THREAD, _task_tn_float32())
        _run_tn(job, np.float32)
        xla.end(job)
    return xla.OK


def _tn_float64(frame):
    if xla.is_call(frame):
        job = _begin(frame, TRANSPOSED_PER_THREAD, _task_tn_float64())
        _run_tn(job, np.float64)
        xla.end(job)
    return xla.OK


HANDLERS = {
    ("nn", "float32"): _nn_float32,
    ("nn", "float64"): _nn_float64,
    ("tn", "float32"): _tn_float32,
    ("tn", "float64"): _tn_float64,
}


def handler(kind: str, dtype: str) -> Any:
    """The compiled handler of the product `nn` or `tn` in a dtype; its `ctypes` is the function for XLA."""
    return cfunc(types.intp(types.intp), cache=True)(HANDLERS[kind, dtype])
