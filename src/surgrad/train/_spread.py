"""Where batches and weights are: on one device, over the devices of a process, or over those of several processes."""

from __future__ import annotations

import contextlib
import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array

from surgrad._kinds import require_kind
from surgrad._types import PyTree


class Spread:
    """Where batches and weights are: on the one device that JAX takes, or over the first axis of a mesh.

    The devices of the mesh may belong to several processes, which all call the same methods in the same order.

    Parameters:
        mesh: of devices, or None.
        axes: the axis of the samples in the arrays of a batch, a tree prefix of integers, where classes do not say it.

    Raises:
        TypeError: it is no mesh.
        ValueError: it has devices of some of the processes only.
    """

    def __init__(self, mesh: Any, axes: Any) -> None:
        self.mesh, self.axes, self.whole = None, axes, None
        self.several, self.leads = False, True
        if mesh is None:
            return
        require_kind("fit: mesh", mesh, Mesh, "a mesh, jax.make_mesh((2,), ('data',)) say")
        # `jax.make_mesh` makes axes that losses would have to name everywhere, from JAX 0.12 on.
        self.mesh = Mesh(mesh.devices, mesh.axis_names)
        self.whole = NamedSharding(self.mesh, PartitionSpec())
        processes, here = {device.process_index for device in mesh.devices.flat}, jax.process_index()
        if processes != {here}:
            if len(processes) < jax.process_count():
                raise ValueError(
                    f"fit: mesh has devices of the processes {sorted(processes)}, and this is process {here} of "
                    f"{jax.process_count()}; give a mesh of all devices, Mesh(np.array(jax.devices()), ('data',)), or "
                    f"of this process's, jax.local_devices()."
                )
            self.several, self.leads = True, here == 0
            self._copy = jax.jit(lambda tree: tree, out_shardings=self.whole)

    def __call__(self, batch: Any, data: Any) -> Any:
        """A batch of some data, each device with a part of the samples.

        Raises:
            ValueError: the devices do not divide the samples.
        """
        if self.mesh is None:
            return batch
        axes = _axes_of(data, batch)
        return jax.tree.map(self._split, batch, _broadcast(self.axes if axes is None else axes, batch))

    def if_it_divides(self, batch: Any, data: Any) -> Any:
        """A batch, split if classes say how and the devices divide the samples, else whole on each device."""
        if self.mesh is None:
            return batch
        axes, devices = _axes_of(data, batch), self.mesh.devices.shape[0]
        if axes is None:
            return self.everywhere(batch)
        left = jax.tree.map(lambda x, axis: x.shape[axis] % devices, batch, _broadcast(axes, batch))
        return self.everywhere(batch) if any(jax.tree.leaves(left)) else self(batch, data)

    def everywhere(self, tree: PyTree) -> PyTree:
        """The tree, whole on each device; each process has the same one."""
        if self.several:
            return self._copy(tree)
        return tree if self.mesh is None else jax.device_put(tree, self.whole)

    def here(self, tree: PyTree) -> PyTree:
        """A tree that is whole on each device, on one of this process alone: for what only one process computes."""
        return jax.tree.map(lambda x: x.addressable_data(0), tree) if self.several else tree

    def joined(self, batch: Any) -> Any:
        """A batch that is split over several processes, whole in each."""
        return multihost_utils.process_allgather(batch, tiled=True) if self.several else batch

    def agreed(self, row: Mapping[str, float]) -> dict[str, float]:
        """The numbers of the first process, so that all decide alike."""
        if not self.several:
            return dict(row)
        numbers = self._of_all(list(row.values()))[0]
        return {name: type(old)(new) for (name, old), new in zip(row.items(), numbers, strict=True)}

    def any(self, flag: bool) -> bool:
        """Whether a flag is True in one of the processes."""
        return bool(self._of_all([flag]).any()) if self.several else flag

    def once(self, action: Callable[[], None], what: str) -> None:
        """Do something in the first process, while the others wait.

        Raises:
            Exception: that of the action; in the other processes OSError.
        """
        error = None
        if self.leads:
            try:
                action()
            except Exception as raised:
                error = raised
        failed = self.any(error is not None)
        if error is not None:
            raise error
        if failed:
            raise OSError(f"fit: process 0 cannot {what}; its message says why.")

    def require_same(self, things: Mapping[str, Any]) -> None:
        """Check that all processes have the same things, plain JSON by what messages call them.

        Raises:
            ValueError: they do not.
        """
        if not self.several:
            return
        sums = self._of_all([zlib.crc32(json.dumps(thing, sort_keys=True).encode()) for thing in things.values()])
        for name, column in zip(things, sums.T, strict=True):
            if other := np.flatnonzero(column != column[0]).tolist():
                raise ValueError(
                    f"fit: {name} in process {other[0]} is not that of process 0; give all processes "
                    f"the same arguments and the same folder."
                )

    def require_divides(self, size: int) -> None:
        """Check that the devices divide the samples of a batch.

        Raises:
            ValueError: they do not.
        """
        if self.mesh is not None and size % (devices := self.mesh.devices.shape[0]):
            raise ValueError(
                f"fit: mesh has {devices} devices along {self.mesh.axis_names[0]!r}, which do not divide a batch of "
                f"{size} samples; give a multiple of {devices} as batch_size, and leave out smaller last batches."
            )

    def _split(self, x: Any, axis: int) -> Array:
        assert self.mesh is not None
        self.require_divides(x.shape[axis])
        sharding = NamedSharding(self.mesh, PartitionSpec(*[None] * axis, self.mesh.axis_names[0]))
        if not self.several:
            return jax.device_put(jnp.asarray(x), sharding)
        array = np.asarray(x)
        array = array.astype(jax.dtypes.canonicalize_dtype(array.dtype))
        return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])

    def _of_all(self, numbers: list[float]) -> np.ndarray:
        """A row of numbers for each process, with all their bits, also where JAX has 32 of them."""
        bits = np.array(numbers, np.float64).view(np.uint32)
        return np.ascontiguousarray(multihost_utils.process_allgather(bits)).view(np.float64)


def _axes_of(data: Any, batch: Any) -> Any:
    """The `batch_axes` that the class of the data promises, or that of the batch; None where neither does."""
    return next((one.batch_axes for one in (data, batch) if "batch_axes" in vars(type(one))), None)


def _broadcast(axes: Any, batch: Any) -> Any:
    """An axis for each array of a batch.

    Raises:
        ValueError: there is no such array, or an array has no such axis.
    """
    with contextlib.suppress(ValueError):  # it has another structure
        found = jax.tree.broadcast(axes, batch)
        if all(0 <= axis < x.ndim for x, axis in zip(*map(jax.tree.leaves, (batch, found)), strict=True)):
            return found
    shapes = jax.tree.map(lambda x: x.shape, batch)
    raise ValueError(
        f"fit: batch_axes must be the axis of the samples in the arrays of a batch, one for all or a tree like the "
        f"batch, got {axes} for the shapes {shapes}."
    )
