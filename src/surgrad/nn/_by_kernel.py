"""Convolutions and pools whose number of axes of space is the length of `kernel_size`, as in Flax and jaxpike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from jaxtyping import Array

from surgrad._answers import answers_keywords
from surgrad._keys import takes_key
from surgrad.nn._conv import Conv as Convolution
from surgrad.nn._conv import Conv1d, Conv2d, Conv3d
from surgrad.nn._linear import Initializer
from surgrad.nn._pool import AvgPool1d, AvgPool2d, AvgPool3d, MaxPool1d, MaxPool2d, MaxPool3d
from surgrad.nn._windows import Padding, PerAxis

Kind = TypeVar("Kind")


@answers_keywords
@takes_key
def Conv(  # noqa: N802
    in_channels: int,
    out_channels: int,
    kernel_size: Sequence[int],
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
) -> Convolution:
    """A `Conv1d`, `Conv2d` or `Conv3d`: with as many axes of space as the kernel has lengths.

    Padding is 0 by default, as in those; Flax has `padding="SAME"`.

    Parameters:
        kernel_size: length of the kernel along each axis of space.
        in_channels, out_channels, stride, padding, dilation, groups: as of `Conv2d`.
        key, use_bias, gain, weight_init, event_driven: as of `Conv2d`.

    Raises:
        ValueError: the kernel has not 1 to 3 lengths; further as `Conv2d`.

    Example:
        >>> import jax
        >>> from surgrad import nn
        >>> layer = nn.Conv(1, 8, (5, 5), padding="SAME", key=jax.random.key(0))
        >>> type(layer).__name__, layer.weight.shape
        ('Conv2d', (5, 5, 1, 8))
    """
    kind: Any = _chosen("Conv", kernel_size, (Conv1d, Conv2d, Conv3d))
    return kind(
        in_channels,
        out_channels,
        kernel_size,
        stride,
        padding,
        dilation,
        groups,
        key=key,
        use_bias=use_bias,
        gain=gain,
        weight_init=weight_init,
        event_driven=event_driven,
    )


@answers_keywords
def MaxPool(  # noqa: N802
    kernel_size: Sequence[int], stride: PerAxis | None = None
) -> MaxPool1d | MaxPool2d | MaxPool3d:
    """A `MaxPool1d`, `MaxPool2d` or `MaxPool3d`: with as many axes of space as the window has lengths.

    Equal elements share the derivative, as in those.

    Parameters:
        kernel_size: length of a window along each axis of space.
        stride: distance between neighbouring windows; None for that of windows that do not overlap.

    Raises:
        ValueError: the window has not 1 to 3 lengths, or a number is not an integer >= 1.

    Example:
        >>> from surgrad import nn
        >>> nn.MaxPool((2, 2))
        MaxPool2d(kernel_size=(2, 2), stride=(2, 2))
    """
    return _chosen("MaxPool", kernel_size, (MaxPool1d, MaxPool2d, MaxPool3d))(kernel_size, stride)


@answers_keywords
def AvgPool(  # noqa: N802
    kernel_size: Sequence[int], stride: PerAxis | None = None
) -> AvgPool1d | AvgPool2d | AvgPool3d:
    """An `AvgPool1d`, `AvgPool2d` or `AvgPool3d`: with as many axes of space as the window has lengths.

    Parameters:
        kernel_size, stride: as of `MaxPool`.

    Raises:
        ValueError: as `MaxPool`.

    Example:
        >>> from surgrad import nn
        >>> nn.AvgPool((2, 2), stride=1)
        AvgPool2d(kernel_size=(2, 2), stride=(1, 1))
    """
    return _chosen("AvgPool", kernel_size, (AvgPool1d, AvgPool2d, AvgPool3d))(kernel_size, stride)


def _chosen(owner: str, kernel_size: Any, kinds: Sequence[type[Kind]]) -> type[Kind]:
    """Return the class with as many axes of space as the kernel has lengths.

    Raises:
        ValueError: it has not 1 to 3 lengths.
    """
    if isinstance(kernel_size, (tuple, list)) and 1 <= len(kernel_size) <= len(kinds):
        return kinds[len(kernel_size) - 1]
    raise ValueError(
        f"{owner}: kernel_size must have a length for each of 1 to 3 axes of space, such as (3, 3) for images, got "
        f"{kernel_size!r}; {owner}2d takes one integer for both."
    )
