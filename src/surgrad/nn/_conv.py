"""Convolutional layers along one, two or three axes of space, channels last.

Those with strides, dilation, groups or three axes of space, and transposed ones, promise `whole_sequence`, since XLA
computes their derivatives ten times slower inside a loop on a CPU.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, ClassVar, Self

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from surgrad._dtypes import floats, promoted
from surgrad._fields import check_field
from surgrad._keys import takes_key
from surgrad._numbers import require_multiples, require_whole
from surgrad._pytree import static
from surgrad._shapes import require_shapes
from surgrad._types import Numbers
from surgrad.nn._checks import real_array
from surgrad.nn._contract import Connection, flag, weight_array
from surgrad.nn._events import convolution_pays, cross_correlation
from surgrad.nn._linear import Initializer, initial_weight, with_bias, with_weight
from surgrad.nn._loops import automatically_sharded
from surgrad.nn._windows import Padding, PerAxis, channels_first_hint, paddings, per_axis, space_axes


@dataclasses.dataclass(eq=False, repr=False, init=False)
class Conv(Connection):
    """Base of the convolutions: cross-correlations along `spatial` axes of space, channels last.

    Parameters:
        in_channels: number of input channels, >= 1.
        out_channels: number of output channels, >= 1.
        kernel_size: length of the kernel: an integer, or one for each axis of space.
        stride: distance between neighbouring outputs, of a transposed convolution between neighbouring inputs: an
            integer, or one for each axis.
        padding: zeros at both ends of each axis of space: an integer, one for each axis, a pair (before, after) for
            each axis, `"SAME"` or `"VALID"` (none). A transposed convolution cuts its output by that much instead.
            `"SAME"` gives ⌈n / stride⌉ outputs along an axis of n inputs, and n · stride where transposed.
        dilation: distance between neighbouring elements of the kernel: an integer, or one for each axis.
        groups: number of groups of channels that do not mix; it divides both numbers of channels.
        key: random key of the initial weights.
        use_bias: whether there is a bias, one number for each output channel; it starts at zero.
        gain: standard deviation of the initial weights times √(inputs of an output), >= 0.
        weight_init: an initializer of `jax.nn.initializers`, in place of normal weights of that deviation.
        event_driven: whether each input that is not zero adds its kernel to the outputs, as of `Linear`: True, False or
            `"auto"`. It applies to convolutions along one or two axes in float32, without strides, dilation and groups,
            that are not transposed; the others are XLA's.

    Attributes:
        weight: `(*kernel_size, in_channels / groups, out_channels)`.
        bias: `(out_channels,)`, or None.

    Raises:
        ValueError: a number is out of its range, or there is not one for each axis of space.
    """

    spatial: ClassVar[int]
    """Number of axes of space."""

    weight: Shaped[Array | np.ndarray, "*space inputs outputs"] = weight_array(
        "*kernel_size, in_channels / groups, out_channels"
    )
    bias: Shaped[Array | np.ndarray, " outputs"] | None = weight_array("out_channels", optional=True)
    stride: tuple[int, ...] = static()
    padding: Any = static()
    dilation: tuple[int, ...] = static()
    groups: int = static(whole=1)
    event_driven: bool | str = flag(default="auto", also=("auto",))

    @takes_key
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: PerAxis,
        stride: PerAxis = 1,
        padding: Padding = 0,
        dilation: PerAxis = 1,
        groups: int = 1,
        *,
        key: Array,
        use_bias: bool = True,
        gain: float = 1.0,
        weight_init: Initializer | None = None,
        event_driven: bool | str = "auto",
    ) -> None:
        kind = type(self).__name__
        require_whole(kind, in_channels=in_channels, out_channels=out_channels, groups=groups)
        require_multiples(kind, "groups", groups, in_channels=in_channels, out_channels=out_channels)
        kernel = per_axis(kind, "kernel_size", kernel_size, self.spatial)
        self.weight = initial_weight(kind, key, (*kernel, in_channels // groups, out_channels), gain, weight_init)
        check_field(kind, "use_bias", use_bias, {"flag": True})
        self.bias = jnp.zeros(out_channels) if use_bias else None
        self._set_options(stride, padding, dilation, groups, event_driven)

    def _set_options(
        self, stride: PerAxis, padding: Padding, dilation: PerAxis, groups: int, event_driven: bool | str
    ) -> None:
        kind = type(self).__name__
        self.stride = per_axis(kind, "stride", stride, self.spatial)
        self.dilation = per_axis(kind, "dilation", dilation, self.spatial)
        self.padding, self.groups = paddings(kind, padding, self.spatial), groups
        self.event_driven = event_driven
        self.__post_init__()

    def __post_init__(self) -> None:
        super().__post_init__()
        kind, weight = type(self).__name__, jnp.shape(self.weight)
        space = ", ".join(f"kernel {axis}" for axis in space_axes(self.spatial))
        require_shapes(kind, {"weight": (weight, f"{space}, in_channels / groups, out_channels")})
        require_multiples(kind, "groups", self.groups, out_channels=weight[-1])

    @classmethod
    def from_arrays(
        cls,
        weight: Numbers,
        bias: Numbers | None = None,
        *,
        stride: PerAxis = 1,
        padding: Padding = 0,
        dilation: PerAxis = 1,
        groups: int = 1,
        event_driven: bool | str = "auto",
    ) -> Self:
        """A layer with given arrays.

        Parameters:
            weight: `(*kernel_size, in_channels / groups, out_channels)`; of PyTorch's `Conv2d` it is
                `weight.permute(2, 3, 1, 0)`.
            bias: `(out_channels,)`, or None for a layer without.
            stride, padding, dilation, groups, event_driven: as of the class.

        Raises:
            TypeError: an array is not real.
            ValueError: the shapes do not fit, or an option is out of its range.
        """
        layer = object.__new__(cls)
        layer.weight, layer.bias = floats(weight), floats(bias)
        layer._set_options(stride, padding, dilation, groups, event_driven)
        return layer

    def with_weight(self, weight: Array) -> Self:
        """A copy with another weight, and a bias of zero."""
        return with_weight(self, weight)

    def __call__(self, x: Numbers) -> Float[Array, "... outputs"]:
        """The outputs, `(..., *space, out_channels)`, of inputs `(..., *space, in_channels)`.

        Raises:
            TypeError: x is complex.
            ValueError: x has too few axes, another number of channels, or is smaller than the kernel.
        """
        x = real_array(self, x)
        kind, channels = type(self).__name__, self.weight.shape[-2] * self.groups
        pattern = ", ".join(["...", *space_axes(self.spatial, self._least()), f"{channels} channels"])
        require_shapes(kind, {"the input": (x.shape, pattern)}, channels_first_hint(x.shape, channels, self.spatial))
        dtype = promoted(x, self.weight)
        weight = jnp.asarray(self.weight).astype(dtype)
        y = automatically_sharded(self._folded, x.astype(dtype), weight, features=self.spatial + 1)
        return with_bias(y, self.bias)

    def _folded(self, x: Array, weight: Array) -> Array:
        """The convolution of all leading axes as one batch."""
        leading, image = x.shape[: -self.spatial - 1], x.shape[-self.spatial - 1 :]
        y = self._convolved(x.reshape(math.prod(leading), *image), weight)
        return y.reshape(*leading, *y.shape[1:])

    @property
    def _in_loops(self) -> bool:
        """Whether the convolution is as fast inside a loop over time as outside, and may be event-driven."""
        return self.spatial <= 2 and {*self.stride, *self.dilation, self.groups} == {1}

    def _convolved(self, x: Array, weight: Array) -> Array:
        known = all(isinstance(size, int) for size in x.shape)  # others are symbolic, in a program to be exported
        if not (known and self._in_loops):
            return self._dilated(x, weight, self.padding, stride=self.stride)
        images, kernel = (x, weight) if self.spatial == 2 else (x[:, None], weight[None])
        padding = list(self.padding)
        if self.padding == "SAME":
            padding = [((k - 1) // 2, k // 2) for k in weight.shape[: self.spatial]]
        above, across = ((0, 0), *padding)[-2:]
        events = convolution_pays(images, kernel, self.event_driven)
        y = cross_correlation(images, kernel, (above, across), events=events)
        return y if self.spatial == 2 else y[:, 0]

    def _dilated(self, x: Array, weight: Array, padding: Any, **strides: tuple[int, ...]) -> Array:
        letters = "DHW"[-self.spatial :]
        return jax.lax.conv_general_dilated(
            x,
            weight,
            window_strides=strides.get("stride", (1,) * self.spatial),
            padding=padding,
            lhs_dilation=strides.get("spread"),
            rhs_dilation=self.dilation,
            dimension_numbers=(f"N{letters}C", f"{letters}IO", f"N{letters}C"),
            feature_group_count=self.groups,
        )

    def _reach(self) -> list[int]:
        """Lengths of the dilated kernel, less one."""
        return [(k - 1) * d for k, d in zip(self.weight.shape, self.dilation, strict=False)]

    def _least(self) -> list[int]:
        """The smallest lengths of the axes of space that give an output."""
        if self.padding == "SAME":
            return [1] * self.spatial
        return [max(1, r + 1 - low - high) for r, (low, high) in zip(self._reach(), self.padding, strict=True)]


class ConvTranspose(Conv):
    """Base of the transposed convolutions: outputs are `stride` times as many as inputs."""

    def _convolved(self, x: Array, weight: Array) -> Array:
        pairs = list(zip(self._reach(), self.stride, strict=True))
        if self.padding == "SAME":
            widths = [_around(reach, stride) for reach, stride in pairs]
        else:
            widths = [(r - low, r - high) for (r, _), (low, high) in zip(pairs, self.padding, strict=True)]
        return self._dilated(x, weight, widths, spread=self.stride)

    def _least(self) -> list[int]:
        if self.padding == "SAME":
            return [1] * self.spatial
        excess = [low + high - r for r, (low, high) in zip(self._reach(), self.padding, strict=True)]
        return [1 + max(0, -(-e // s)) for e, s in zip(excess, self.stride, strict=True)]


def _around(reach: int, stride: int) -> tuple[int, int]:
    """Zeros on both sides that make the output `stride` times as long as the input, as `jax.lax.conv_transpose`."""
    total = reach + stride - 1
    low = reach if stride > reach else -(-total // 2)
    return low, total - low


def _documented(cls: type) -> type:
    """Append the parameters, which stand in the base class once, to the docstring of a class."""
    cls.__doc__ = f"{cls.__doc__}\n{(Conv.__doc__ or '').partition(chr(10))[2]}"
    return cls


@_documented
class Conv1d(Conv):
    """Convolution along one axis of space, `(..., width, channels)`."""

    spatial = 1
    takes_time = weighted = linear_in_inputs = True

    @property
    def whole_sequence(self) -> bool:
        """Whether it has strides, dilation or groups."""
        return not self._in_loops


@_documented
class Conv2d(Conv):
    """Convolution along two axes of space, `(..., height, width, channels)`."""

    spatial = 2
    takes_time = weighted = linear_in_inputs = True

    @property
    def whole_sequence(self) -> bool:
        """Whether it has strides, dilation or groups."""
        return not self._in_loops


@_documented
class Conv3d(Conv):
    """Convolution along three axes of space, `(..., depth, height, width, channels)`."""

    spatial = 3
    takes_time = weighted = linear_in_inputs = whole_sequence = True


@_documented
class ConvTranspose1d(ConvTranspose):
    """Transposed convolution along one axis of space, `(..., width, channels)`."""

    spatial = 1
    takes_time = weighted = linear_in_inputs = whole_sequence = True


@_documented
class ConvTranspose2d(ConvTranspose):
    """Transposed convolution along two axes of space, `(..., height, width, channels)`."""

    spatial = 2
    takes_time = weighted = linear_in_inputs = whole_sequence = True


@_documented
class ConvTranspose3d(ConvTranspose):
    """Transposed convolution along three axes of space, `(..., depth, height, width, channels)`."""

    spatial = 3
    takes_time = weighted = linear_in_inputs = whole_sequence = True
