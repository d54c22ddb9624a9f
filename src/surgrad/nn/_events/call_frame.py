"""Calls by XLA: the call frame of a handler, and the division of its work among XLA's threads.

XLA calls a handler with the address of a call frame, whose layout is in `xla/ffi/api/c_api.h`. The fields that are read
here had the same places in versions 0.1 to 0.5 of the interface, the newest when this was written. Offsets count words
of 8 bytes. Those whose names end in 4 count words of 4 bytes: they are of enums and versions, which fill half a word.

A handler divides its work into blocks, which XLA's own threads take one after the other. Each number of the result is
computed by one thread and in one order, so that results do not depend on the number of threads. The calling thread
takes blocks too, and waits for those alone that others have begun: so it makes progress even if all threads are busy. A
task that XLA runs later finds no block left, and the last one to leave frees the job.

Numba's cache only notices changes in the file of a handler: after a change here, remove `__pycache__` of this folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, cfunc, njit, types  # pyright: ignore[reportPrivateImportUsage]
from numba.core import cgutils
from numba.extending import intrinsic

FRAME_EXTENSION, FRAME_API, FRAME_CONTEXT, FRAME_STAGE4, FRAME_ARGS, FRAME_RETS = 1, 2, 3, 8, 9, 14
EXTENSION_TYPE4, EXTENSION_METADATA = 2, 3
METADATA_MAJOR4, METADATA_MINOR4, METADATA_TRAITS4 = 6, 7, 8
BUFFER_DATA, BUFFER_DIMS = 3, 5
API_ERROR_DESTROY, API_SCHEDULE, API_NUM_THREADS = 8, 17, 18

METADATA, EXECUTE, OK = 1, 3, 0
MAJOR, MINOR = 0, 1
"""The version of the interface that is used here; an XLA that no longer supports it refuses the handler."""

JOB_NEXT, JOB_DONE, JOB_HELD, JOB_BLOCKS, JOB_BLOCKS_EACH, JOB_SIZE, JOB_FRAME, JOB_WORDS = range(8)
"""Words of a job: the next block, the number of those done, of threads that hold the job, of blocks, of blocks of each
element of the batch, and of rows of a block, and the call frame; after them, `REQUEST` words for a request to XLA."""
REQUEST = 5
POSIX = os.name == "posix"

SHARED = 2**24
"""Number of terms of the dense product from which other threads are asked for help."""

compiled: Any = njit(nogil=True, cache=True, error_model="numpy")


def _cast(typing: Any, address: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.voidptr(types.intp), generate


def _of_memory(typing: Any, count: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        words = builder.mul(arguments[0], context.get_constant(types.intp, 8))
        return builder.ptrtoint(context.nrt.allocate(builder, words), context.get_value_type(types.intp))

    return types.intp(types.intp), generate


def _of_freedom(typing: Any, address: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        context.nrt.free(builder, builder.inttoptr(arguments[0], cgutils.voidptr_t))
        return context.get_dummy_value()

    return types.void(types.intp), generate


def _of_addition(typing: Any, address: Any, change: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = builder.inttoptr(arguments[0], arguments[1].type.as_pointer())
        return builder.atomic_rmw("add", word, arguments[1], "seq_cst")

    return types.intp(types.intp, types.intp), generate


def _of_call(typing: Any, function: Any, argument: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = arguments[1].type
        return builder.call(builder.inttoptr(arguments[0], ir.FunctionType(word, [word]).as_pointer()), arguments[1:])

    return types.intp(types.intp, types.intp), generate


_pointer: Any = intrinsic(_cast)
_allocate: Any = intrinsic(_of_memory)
_free: Any = intrinsic(_of_freedom)
_add: Any = intrinsic(_of_addition)
_call: Any = intrinsic(_of_call)
_yield: Any = types.ExternalFunction("sched_yield", types.intc())


@compiled
def _pause():
    """Let another thread run on this core."""
    if POSIX:
        _yield()


@compiled
def words(address, count):
    return carray(_pointer(address), count, np.int64)


@compiled
def _halves(address, count):
    return carray(_pointer(address), count, np.int32)


@compiled
def is_call(address):
    """Whether the kernel must run; a frame with an extension asks for the version of the interface instead."""
    extension = words(address, 15)[FRAME_EXTENSION]
    if extension == 0:
        return _halves(address, 9)[FRAME_STAGE4] == EXECUTE
    if _halves(extension, 3)[EXTENSION_TYPE4] == METADATA:
        metadata = _halves(words(extension, 4)[EXTENSION_METADATA], 9)
        metadata[METADATA_MAJOR4], metadata[METADATA_MINOR4], metadata[METADATA_TRAITS4] = MAJOR, MINOR, 0
    return False


@compiled
def _buffer(frame, index):
    """The buffer of an operand, or the result at index -1: its address, that of its shape is at `BUFFER_DIMS`."""
    fields = words(frame, 15)
    if index < 0:
        return words(words(fields[FRAME_RETS], 1)[0], 6)
    return words(words(fields[FRAME_ARGS], index + 1)[index], 6)


@compiled
def shape(frame, index, ndim):
    """The lengths of the axes of an operand, or of the result at index -1."""
    return words(_buffer(frame, index)[BUFFER_DIMS], ndim)


@compiled
def array(frame, index, sizes, dtype):
    """An operand, or the result at index -1, as an array of some shape."""
    return carray(_pointer(_buffer(frame, index)[BUFFER_DATA]), sizes, dtype)


@compiled
def take(job):
    """The call frame of a job, and its next block: the element of the batch and the rows of it; -1 if none is left."""
    state = words(job, JOB_WORDS)
    block = _add(job + 8 * JOB_NEXT, 1)
    if block >= state[JOB_BLOCKS]:
        return 0, -1, 0, 0
    first = (block % state[JOB_BLOCKS_EACH]) * state[JOB_SIZE]
    return state[JOB_FRAME], block // state[JOB_BLOCKS_EACH], first, first + state[JOB_SIZE]


@compiled
def done(job):
    """Count a block that is done."""
    _add(job + 8 * JOB_DONE, 1)


@compiled
def leave(job):
    if _add(job + 8 * JOB_HELD, -1) == 1:
        _free(job)


@compiled
def _ask(frame, service, request):
    """Whether XLA did what a request says: words whose third is the context of the call."""
    asked, services = words(request, REQUEST), words(words(frame, 15)[FRAME_API], API_NUM_THREADS + 1)
    asked[1], asked[2] = 0, words(frame, 15)[FRAME_CONTEXT]
    error = _call(services[service], request)
    if error != 0:
        asked[0], asked[2] = 24, error
        _call(services[API_ERROR_DESTROY], request)
    return error == 0


@compiled
def _threads(frame, request):
    """The number of threads that XLA has."""
    asked = words(request, REQUEST)
    asked[0], asked[3], asked[4] = 32, request + 32, 1
    return asked[4] if _ask(frame, API_NUM_THREADS, request) else 1


@compiled
def begin(frame, batch, rows, terms, per_thread, task):
    """A job with which other threads have been asked to help, if it is large.

    Parameters:
        batch: number of elements of the batch; no block lies in two of them.
        rows: number of rows of each that are computed independently.
        terms: about the number of multiplications, were all inputs dense.
        per_thread: number of blocks for each thread.
        task: address of the function that helps.
    """
    job = _allocate(JOB_WORDS + REQUEST)
    state, request = words(job, JOB_WORDS), job + 8 * JOB_WORDS
    asked = words(request, REQUEST)
    threads = _threads(frame, request) if terms >= SHARED else 1
    each = min(rows, max(1, threads * per_thread // batch)) if threads > 1 else 1
    size = -(-rows // each)
    each = -(-rows // size)
    state[JOB_NEXT], state[JOB_DONE], state[JOB_HELD], state[JOB_FRAME] = 0, 0, 1, frame
    state[JOB_SIZE], state[JOB_BLOCKS_EACH], state[JOB_BLOCKS] = size, each, batch * each
    for _ in range(min(threads, batch * each) - 1):
        _add(job + 8 * JOB_HELD, 1)
        asked[0], asked[3], asked[4] = 40, task, job
        if not _ask(frame, API_SCHEDULE, request):
            _add(job + 8 * JOB_HELD, -1)
            break
    return job


@compiled
def end(job):
    """Wait until all blocks are done."""
    while _add(job + 8 * JOB_DONE, 0) < words(job, JOB_WORDS)[JOB_BLOCKS]:
        _pause()
    leave(job)


def address_of(function: Callable[..., Any]) -> Any:
    """An intrinsic that gives the address of a function, which is compiled into the program that asks."""

    def typed(typing: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            task: Any = cfunc(types.void(types.intp))(function)
            context.active_code_library.add_linking_library(task._library)
            word = context.get_value_type(types.intp)
            kind = ir.FunctionType(ir.VoidType(), [word])
            return builder.ptrtoint(cgutils.get_or_insert_function(builder.module, kind, task.native_name), word)

        return types.intp(), generate

    return intrinsic(typed)
