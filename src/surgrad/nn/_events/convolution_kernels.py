"""Kernels of the convolutions in Numba: each input that is not zero adds its kernel to the outputs around it.

A kernel is stored as `(inputs, rows, columns, outputs)`, so that what an input adds to a row of outputs is one piece of
memory. Importing this module imports Numba.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cfunc, types  # pyright: ignore[reportPrivateImportUsage]

from surgrad.nn._events import call_frame as xla
from surgrad.nn._events.call_frame import compiled
from surgrad.nn._events.kernels import list_events
from surgrad.nn._events.sums import add_pieces

IMAGES_PER_THREAD, ROWS_PER_THREAD = 8, 2
"""Blocks for each thread. Those of the gradient by the kernel each read all images, so that there are few."""


@compiled
def _spread(x, kernel, out, sizes, first, last):
    """Write images `first` to `last`: y[h + i - top, w + j - left, o] is the sum of x[h, w, c] kernel[c, i, j, o]."""
    height, width, channels, rows, columns, features, high, wide, top, left = sizes
    where = np.empty(channels, np.int64)
    area = high * wide * features
    for n in range(first, last):
        image = out[n * area : (n + 1) * area]
        for q in range(area):
            image[q] = 0
        for h in range(height):
            for w in range(width):
                at = ((n * height + h) * width + w) * channels
                pixel = x[at : at + channels]
                count = list_events(pixel, 0, channels, where)
                if count == 0:
                    continue
                j0, j1 = max(0, left - w), min(columns, wide + left - w)
                for i in range(max(0, top - h), min(rows, high + top - h)):
                    begin = ((h + i - top) * wide + w + j0 - left) * features
                    piece = image[begin : begin + max(0, j1 - j0) * features]
                    start = (i * columns + j0) * features
                    add_pieces(piece, piece.size, pixel, where, count, kernel, start, rows * columns * features)


@compiled
def _list_columns(x, counts, lists, where):
    """List, for each column and channel of an image `(height, width * channels)`, the lines that are not zero there."""
    for q in range(counts.size):
        counts[q] = 0
    for h in range(x.shape[0]):
        for t in range(list_events(x[h], 0, counts.size, where)):
            q = where[t]
            lists[q, counts[q]] = h
            counts[q] += 1


@compiled
def _correlate(x, y, out, sizes, images, first, last):
    """Write rows `first` to `last`: out[c, i, j, o] is the sum of x[n, h, w, c] y[n, h + i - top, w + j - left, o]."""
    height, width, channels, rows, columns, features, high, wide, top, left = sizes
    length, across = columns * features, width * channels
    for q in range(first * length, last * length):
        out[q] = 0
    where, counts = np.empty(across, np.int64), np.empty(across, np.int64)
    lists = np.empty((across, height), np.int64)
    for n in range(images):
        image = x[n * height * across : (n + 1) * height * across].reshape(height, across)
        _list_columns(image, counts, lists, where)
        for c in range(first // rows, (last - 1) // rows + 1):
            for w in range(width):
                q, j0, j1 = w * channels + c, max(0, left - w), min(columns, wide + left - w)
                listed, count, size = lists[q], counts[q], max(0, j1 - j0) * features
                for i in range(max(0, first - c * rows), min(rows, last - c * rows)) if count else range(0):
                    begin, end = 0, count
                    while begin < end and listed[begin] < top - i:
                        begin += 1
                    while begin < end and listed[end - 1] >= high + top - i:
                        end -= 1
                    goal = ((c * rows + i) * columns + j0) * features
                    source = ((n * high + i - top) * wide + w + j0 - left) * features
                    piece = out[goal : goal + size]
                    add_pieces(piece, size, image[:, q], listed[begin:], end - begin, y, source, wide * features)


@compiled
def _flat(frame, index):
    """An operand, or the result at index -1, as an array of one axis."""
    a, b, c, d = xla.shape(frame, index, 4)
    return xla.array(frame, index, (a * b * c * d,), np.float32)


@compiled
def _sizes(frame, kernel, image):
    """The sizes of a convolution, whose kernel and outputs are operands or the result; operand 2 has top and left."""
    _, height, width, channels = xla.shape(frame, 0, 4)
    _, rows, columns, features = xla.shape(frame, kernel, 4)
    _, high, wide, _ = xla.shape(frame, image, 4)
    corner = xla.array(frame, 2, (2,), np.int32)
    return height, width, channels, rows, columns, features, high, wide, np.int64(corner[0]), np.int64(corner[1])


@compiled
def _terms(frame, sizes):
    return xla.shape(frame, 0, 4)[0] * sizes[0] * sizes[1] * sizes[2] * sizes[3] * sizes[4] * sizes[5]


@compiled
def _run_spread(job):
    """Compute blocks of images as long as there are any."""
    frame, i, first, last = xla.take(job)
    while i >= 0:
        last = min(last, xla.shape(frame, 0, 4)[0])
        _spread(_flat(frame, 0), _flat(frame, 1), _flat(frame, -1), _sizes(frame, 1, -1), first, last)
        xla.done(job)
        frame, i, first, last = xla.take(job)


@compiled
def _run_correlate(job):
    """Compute blocks of rows of kernels as long as there are any."""
    frame, i, first, last = xla.take(job)
    while i >= 0:
        sizes = _sizes(frame, -1, 1)
        images, last = xla.shape(frame, 0, 4)[0], min(last, sizes[2] * sizes[3])
        _correlate(_flat(frame, 0), _flat(frame, 1), _flat(frame, -1), sizes, images, first, last)
        xla.done(job)
        frame, i, first, last = xla.take(job)


# Functions of the module, because Numba cannot find closures again in its cache.
def _help_spread(job):
    _run_spread(job)
    xla.leave(job)


def _help_correlate(job):
    _run_correlate(job)
    xla.leave(job)


_task_spread, _task_correlate = xla.address_of(_help_spread), xla.address_of(_help_correlate)


def _handle_spread(frame):
    if xla.is_call(frame):
        terms = _terms(frame, _sizes(frame, 1, -1))
        job = xla.begin(frame, 1, xla.shape(frame, 0, 4)[0], terms, IMAGES_PER_THREAD, _task_spread())
        _run_spread(job)
        xla.end(job)
    return xla.OK


def _handle_correlate(frame):
    if xla.is_call(frame):
        sizes = _sizes(frame, -1, 1)
        job = xla.begin(frame, 1, sizes[2] * sizes[3], _terms(frame, sizes), ROWS_PER_THREAD, _task_correlate())
        _run_correlate(job)
        xla.end(job)
    return xla.OK


HANDLERS = {("spread", "float32"): _handle_spread, ("correlate", "float32"): _handle_correlate}


def handler(kind: str, dtype: str) -> Any:
    """The compiled handler of a kind; its `ctypes` is the function for XLA."""
    return cfunc(types.intp(types.intp), cache=True)(HANDLERS[kind, dtype])
