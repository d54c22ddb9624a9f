"""How the kernels of a time loop reach the arrays, on GPUs by Triton and on TPUs by Mosaic.

A target calls a kernel for every block of neurons. Arrays are `(neurons,)`, `(time, neurons)`, or `(1,)` for a number
that all neurons share.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu
from jax.experimental.pallas import triton as plgpu

NAME = "surgrad_time_loop"


class Reference(NamedTuple):
    """An array in memory, the type of its values, and whether it is one number for all neurons."""

    ref: Any
    dtype: Any
    one: bool = False


@runtime_checkable
class Block(Protocol):
    """The neurons of one program of the grid: how their values are read and written."""

    def load(self, reference: Reference, time: Any = None) -> Any:
        """The values of the block, of a time step if there is one; or the one number."""

    def store(self, reference: Reference, value: Any, time: Any = None) -> None:
        """Write the values of the block, of a time step if there is one."""

    def zeros(self, dtype: Any) -> Any:
        """Zeros for the block."""


Kernel = Callable[[Block, list[Reference], list[Reference]], None]
"""Computes results from operands, for a block."""


@runtime_checkable
class Target(Protocol):
    """A kind of device."""

    longest: int | None
    """Time steps that a kernel can take at once; None for any number."""

    def storage(self, dtype: Any) -> Any:
        """The type in which values of a type lie in memory."""

    def call(
        self,
        kernel: Kernel,
        operands: Sequence[Any],
        results: Sequence[Any],
        types: tuple[list[Any], list[Any]],
        one: Sequence[bool],
        neurons: int,
        interpret: bool,
    ) -> Sequence[Any]:
        """Run a kernel for all neurons.

        Parameters:
            operands, results: the arrays, and shapes and types of the results.
            types: of the values of operands and results, which may be stored in other ones.
            one: whether an operand is one number for all neurons.
        """
        ...


class TritonBlock:
    """A block of a GPU's program; where the last one reaches beyond the neurons, it is masked."""

    def __init__(self, size: int, neurons: int):
        self.size = size
        self.where = pl.program_id(0) * size + lax.iota(jnp.int32, size)
        self.mask = None if neurons % size == 0 else self.where < neurons

    def load(self, reference: Reference, time: Any = None) -> Any:
        """The values of the block, of a time step if there is one; or the one number."""
        if reference.one:
            return reference.ref[0].astype(reference.dtype)
        place = self.where if time is None else (time, self.where)
        value = plgpu.load(reference.ref.at[place], mask=self.mask, other=None if self.mask is None else 0)
        return value.astype(reference.dtype)

    def store(self, reference: Reference, value: Any, time: Any = None) -> None:
        """Write the values of the block, of a time step if there is one."""
        place = self.where if time is None else (time, self.where)
        plgpu.store(reference.ref.at[place], value.astype(reference.ref.dtype), mask=self.mask)

    def zeros(self, dtype: Any) -> Any:
        """Zeros for the block."""
        return jnp.zeros((self.size,), dtype)


class Triton:
    """GPUs, by Pallas' Triton backend.

    Parameters:
        sizes: the smallest and the largest number of neurons of a block; powers of two.
        programs: blocks to aim at: two for each of the 132 multiprocessors of a large GPU.
    """

    longest = None

    def __init__(self, sizes: tuple[int, int] = (32, 256), programs: int = 264):
        self.sizes, self.programs = sizes, programs

    def storage(self, dtype: Any) -> Any:
        """Truth values are stored as bytes."""
        return jnp.dtype("int8") if jnp.issubdtype(dtype, jnp.bool_) else dtype

    def block_size(self, neurons: int) -> int:
        """As many neurons as give the number of blocks to aim at, a power of two within the sizes."""
        least, most = self.sizes
        return max(least, min(most, pl.next_power_of_2(max(neurons // self.programs, 1))))

    def call(
        self,
        kernel: Kernel,
        operands: Sequence[Any],
        results: Sequence[Any],
        types: tuple[list[Any], list[Any]],
        one: Sequence[bool],
        neurons: int,
        interpret: bool,
    ) -> Sequence[Any]:
        """Run a kernel for all neurons, a program a block."""
        size = self.block_size(neurons)

        def body(*refs: Any) -> None:
            given = list(map(Reference, refs[: len(operands)], types[0], one))
            kernel(TritonBlock(size, neurons), given, list(map(Reference, refs[len(operands) :], types[1])))

        return pl.pallas_call(
            body,
            out_shape=results,
            grid=(pl.cdiv(neurons, size),),
            interpret=interpret,
            compiler_params=None if interpret else plgpu.CompilerParams(num_warps=max(1, min(4, size // 32))),
            name=NAME,
        )(*operands)


class MosaicBlock:
    """A block of a TPU's program: a row of lanes for each time step, in the fast memory."""

    def __init__(self, size: int):
        self.size = size

    def load(self, reference: Reference, time: Any = None) -> Any:
        """The values of the block, of a time step if there is one; or the one number."""
        row = reference.ref[pl.ds(0 if time is None else time, 1), :]
        return row.astype(reference.dtype)

    def store(self, reference: Reference, value: Any, time: Any = None) -> None:
        """Write the values of the block, of a time step if there is one."""
        reference.ref[pl.ds(0 if time is None else time, 1), :] = value.astype(reference.ref.dtype)

    def zeros(self, dtype: Any) -> Any:
        """Zeros for the block."""
        return jnp.zeros((1, self.size), dtype)


class Mosaic:
    """TPUs: all time steps of a block lie in the fast memory while it is computed.

    Parameters:
        size: number of neurons of a block, a multiple of 128.
        longest: time steps that a kernel takes at once. The backward pass of a LIF neuron holds three numbers a step:
            384 steps of 512 neurons take 2.4 MB, twice, of the 16 MB and more that TPUs have.
    """

    def __init__(self, size: int = 512, longest: int = 384):
        self.size, self.longest = size, longest

    def storage(self, dtype: Any) -> Any:
        """Rows of fewer than 32 bits cannot be taken one by one, so all are stored as 32 bits."""
        if jnp.issubdtype(dtype, jnp.floating):
            return jnp.dtype("float32")
        return jnp.dtype("int32")

    def call(
        self,
        kernel: Kernel,
        operands: Sequence[Any],
        results: Sequence[Any],
        types: tuple[list[Any], list[Any]],
        one: Sequence[bool],
        neurons: int,
        interpret: bool,
    ) -> Sequence[Any]:
        """Run a kernel for all neurons, a program a block."""
        size = min(self.size, pl.cdiv(neurons, 128) * 128)
        rows = [value if value.ndim == 2 else value[None] for value in operands]
        shapes = [leaf if len(leaf.shape) == 2 else _row(leaf) for leaf in results]

        def specification(leaf: Any) -> pl.BlockSpec:
            if leaf.shape[1] == 1 < neurons:
                return pl.BlockSpec((1, 1), lambda i: (0, 0))
            return pl.BlockSpec((leaf.shape[0], size), lambda i: (0, i))

        def body(*refs: Any) -> None:
            given = list(map(Reference, refs[: len(operands)], types[0], one))
            kernel(MosaicBlock(size), given, list(map(Reference, refs[len(operands) :], types[1])))

        made = pl.pallas_call(
            body,
            out_shape=shapes,
            grid=(pl.cdiv(neurons, size),),
            in_specs=list(map(specification, rows)),
            out_specs=list(map(specification, shapes)),
            interpret=interpret,
            compiler_params=None if interpret else pltpu.CompilerParams(dimension_semantics=("parallel",)),
            name=NAME,
        )(*rows)
        return [value.reshape(leaf.shape) for value, leaf in zip(made, results, strict=True)]


def _row(leaf: Any) -> Any:
    return jax.eval_shape(lambda x: x[None], leaf)
