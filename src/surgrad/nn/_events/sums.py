"""The search for non-zeros, and weighted sums of pieces of memory in registers: what all kernels spend their time on.

Numba's own loops load and store the sum for every few pieces, and first check whether pieces overlap, which takes as
long as the sum where pieces are short. Importing this module imports Numba.

Numba's cache only notices changes in the file of a handler: after a change here, remove `__pycache__` of this folder.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types  # pyright: ignore[reportPrivateImportUsage]
from numba.core import cgutils
from numba.extending import intrinsic

GROUP = 64
"""Number of neighbours that are compared with zero at once."""

TILES = (128, 64, 32, 16, 4, 1)
"""Numbers of neighbouring sums that are kept in registers at once, the widest that fits first: 128 of float32 are 8
registers of AVX-512, or all 16 of AVX2."""


def _of_sums(
    typing: Any, out: Any, size: Any, x: Any, where: Any, count: Any, pieces: Any, start: Any, step: Any
) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sums, size, values, listed, count, memory, start, step = arguments
        sums, values, listed, memory = (
            context.make_array(kind)(context, builder, array)
            for kind, array in zip(
                (signature.args[i] for i in (0, 2, 3, 5)), (sums, values, listed, memory), strict=True
            )
        )
        (stride,) = cgutils.unpack_tuple(builder, values.strides, 1)
        stride = builder.sdiv(stride, values.itemsize)
        first = builder.gep(memory.data, [start])
        word, element = count.type, sums.data.type.pointee

        def add(tile: int, begin: Any) -> None:
            """Add to `tile` sums from one on."""
            kind = element if tile == 1 else ir.VectorType(element, tile)
            total = cgutils.alloca_once(builder, kind)
            goal = builder.bitcast(builder.gep(sums.data, [begin]), kind.as_pointer())
            builder.store(builder.load(goal, align=4), total)
            source = builder.gep(first, [begin])
            with cgutils.for_range(builder, count, intp=word) as loop:
                index = builder.load(builder.gep(listed.data, [loop.index]))
                value = builder.load(builder.gep(values.data, [builder.mul(index, stride)]))
                place = builder.bitcast(builder.gep(source, [builder.mul(index, step)]), kind.as_pointer())
                if tile > 1:
                    undefined = ir.Constant(kind, ir.Undefined)
                    one = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
                    zeros = ir.Constant(ir.VectorType(ir.IntType(32), tile), [0] * tile)
                    value = builder.shuffle_vector(one, undefined, zeros)
                term = builder.fmul(value, builder.load(place, align=4))
                builder.store(builder.fadd(builder.load(total), term), total)
            builder.store(builder.load(total), goal, align=4)

        done: Any = ir.Constant(word, 0)
        for tile in TILES:
            width = ir.Constant(word, tile)
            whole = builder.sdiv(builder.sub(size, done), width)
            with cgutils.for_range(builder, whole, intp=word) as loop:
                add(tile, builder.add(done, builder.mul(loop.index, width)))
            done = builder.add(done, builder.mul(whole, width))
        return context.get_dummy_value()

    integers = types.intp
    return types.void(out, integers, x, where, integers, pieces, integers, integers), generate


add_pieces: Any = intrinsic(_of_sums)
"""`add_pieces(out, size, x, where, count, pieces, start, step)`: add to `out[:size]` the sum of `x[j]` times the piece
`pieces[start + j * step :][:size]`, of an array of one axis, over the first `count` elements j of `where`, in their
order. `x` may have a stride; the others are contiguous."""


def _of_comparison(typing: Any, x: Any, start: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values, start = arguments
        values = context.make_array(signature.args[0])(context, builder, values)
        kind = ir.VectorType(values.data.type.pointee, GROUP)
        place = builder.bitcast(builder.gep(values.data, [start]), kind.as_pointer())
        zeros = ir.Constant(kind, [0.0] * GROUP)
        differ = builder.fcmp_unordered("!=", builder.load(place, align=4), zeros)
        return builder.bitcast(differ, ir.IntType(GROUP))

    return types.uint64(x, types.intp), generate


def _of_count(typing: Any, bits: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.intp(types.uint64), generate


nonzero_bits: Any = intrinsic(_of_comparison)
"""`nonzero_bits(x, start)`: which of `x[start:][:GROUP]`, contiguous, are not zero, NaN included, as bits of a word."""
lowest_bit: Any = intrinsic(_of_count)
"""`lowest_bit(bits)`: the place of the lowest bit of a word that is set; one must be."""
