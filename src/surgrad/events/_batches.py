"""Batches of a data set: shuffled, augmented, binned and prefetched."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key, UInt32

from surgrad._answers import answers_keywords
from surgrad._keys import takes_key
from surgrad._kinds import called, require_callable, require_kind
from surgrad._numbers import require_whole
from surgrad.events._binning import Batch, Grid, binned, grid
from surgrad.events._dataset import EventDataset
from surgrad.events._epoch import Epoch
from surgrad.events._prefetch import prefetched
from surgrad.events._recording import Events, check_units

Augmentation = Callable[[Events, np.random.Generator], Events]
POOL = 32
"""Batches whose recordings are sorted by length together: few enough that they differ from epoch to epoch."""


@answers_keywords
@takes_key
def batches(
    data: EventDataset,
    batch_size: int,
    *,
    key: Key[Array, ""] | UInt32[Array, 2] | None = None,
    bin_width: float | None = None,
    num_steps: int | None = None,
    counts: bool = False,
    outside: Literal["error", "drop"] = "error",
    augment: Augmentation | Sequence[Augmentation] = (),
    bucket_by_length: bool = False,
    pad_to_multiple_of: int = 1,
    drop_last: bool = False,
    prefetch: int = 2,
    dtype: Any = np.uint8,
) -> Epoch:
    """One epoch of batches `(spikes, labels, lengths)`, each recording once: an iterator with a length.

    Recordings are read, augmented and binned by a thread while the consumer computes. The same key gives the same
    batches; call `batches` for each epoch with a new one, such as `jax.random.fold_in(key, epoch)`. A second loop over
    the same epoch is an error if it has a key, and without a key begins again. `bin_width`, `num_steps`, `counts`,
    `outside`, `pad_to_multiple_of` and `dtype` are those of `bin_events`.

    Parameters:
        data: the recordings.
        batch_size: number of recordings in a batch, >= 1.
        key: random key of the order and of augmentations; None: the order of the data set, without augmentations.
        bin_width: width of a time step in seconds.
        num_steps: number of time steps.
        counts: whether several events of a unit in one time step are counted.
        outside: what becomes of events behind the last time step, `"error"` or `"drop"`.
        augment: a function `(recording, random) -> recording`, such as `CropTime(0.7)`, or several, applied in order;
            `random` is a `numpy.random.Generator` that follows from the key.
        bucket_by_length: whether recordings of similar length come in one batch, so that less is padded; all are read
            once for their lengths. Batches have different numbers of time steps then, and each is compiled once:
            `pad_to_multiple_of` keeps them few.
        pad_to_multiple_of: what the number of time steps of a batch is a multiple of.
        drop_last: whether the recordings that fill no batch are left out, at random if there is a key. Else the last
            batch may be smaller, and what is compiled for a batch is compiled for it once more.
        prefetch: number of batches that are made ahead; 0: none, without a thread.
        dtype: type of the numbers.

    Raises:
        TypeError: the data are something else; there are augmentations and no key; one returns no recording.
        ValueError: an option is out of range; a recording is broken, as of `bin_events`: raised where it is drawn.
        RuntimeError: a loop begins over an epoch with a key that is used up.

    Warns:
        UserWarning: at the end of the epoch, if `bin_width` is longer than every recording that was drawn.

    >>> data = from_arrays([[0.1], [0.2], [0.3]], [[0], [1], [0]], labels=[0, 1, 0])
    >>> for spikes, labels, lengths in batches(data, 2, key=jax.random.key(0), bin_width=0.1):
    ...     print(spikes.shape, labels, lengths)
    (4, 2, 2) [0 0] [2 4]
    (3, 1, 2) [1] [3]
    """
    require_kind("batches: data", data, EventDataset, "an EventDataset", "; from_arrays(times, units) makes one")
    require_whole("batches", batch_size=batch_size)
    require_whole("batches", 0, prefetch=prefetch)
    chosen = grid(
        "batches",
        bin_width=bin_width,
        num_steps=num_steps,
        counts=counts,
        outside=outside,
        pad_to_multiple_of=pad_to_multiple_of,
        dtype=dtype,
    )
    steps: tuple[Any, ...] = tuple(augment) if isinstance(augment, (tuple, list)) else (augment,)
    for step in steps:
        require_callable("batches: augment", step, "a function (recording, random) -> recording", ("events", "random"))
    if steps and key is None:
        raise TypeError("batches: augmentations are drawn; give a key, such as key=jax.random.key(0).")
    if drop_last and len(data) < batch_size:
        raise ValueError(
            f"batches: {len(data)} recordings fill no batch of {batch_size}, and drop_last=True leaves none."
        )
    words = None if key is None else _words(key)
    make = functools.partial(_batches, data, batch_size, words, chosen, steps, bucket_by_length, drop_last)
    count = len(data) // batch_size if drop_last else -(-len(data) // batch_size)
    begin = functools.partial(prefetched, make, prefetch) if prefetch else make
    return Epoch(count, begin, key is not None, chosen)


def _batches(
    data: EventDataset,
    batch_size: int,
    words: list[int] | None,
    chosen: Grid,
    steps: Sequence[Augmentation],
    bucket_by_length: bool,
    drop_last: bool,
) -> Generator[Batch, None, None]:
    places = np.arange(len(data)) if words is None else np.random.default_rng([*words, 0]).permutation(len(data))
    if drop_last:
        places = places[: len(data) // batch_size * batch_size]
    parts = _in_turn(places, batch_size)
    if bucket_by_length:
        parts = _by_length(places, data.durations, batch_size)
        if words is not None:
            order = np.random.default_rng([*words, 1]).permutation(len(parts))
            parts = [parts[place] for place in order]
    for number, part in enumerate(parts):
        random = None if words is None else np.random.default_rng([*words, 2, number])
        yield binned([_augmented(data[int(place)], steps, random) for place in part], chosen, data)


def _in_turn(places: np.ndarray, batch_size: int) -> list[np.ndarray]:
    return [places[first : first + batch_size] for first in range(0, len(places), batch_size)]


def _by_length(places: np.ndarray, durations: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Batches of recordings of similar length: each pool of batches is sorted by itself."""
    pools = _in_turn(places, POOL * batch_size)
    ordered = [pool[np.argsort(durations[pool], kind="stable")] for pool in pools]
    return [part for pool in ordered for part in _in_turn(pool, batch_size)]


def _augmented(recording: Events, steps: Sequence[Augmentation], random: np.random.Generator | None) -> Events:
    for step in steps:
        source, shape, label = recording.source, recording.unit_shape, recording.label
        made: Any = step(recording, random)  # type: ignore[arg-type]
        require_kind(f"batches: what the augmentation {called(step)} returns for {source}", made, Events, "Events")
        check_units(f"{source}, after the augmentation {called(step)}", made.units, shape)
        recording = Events._made(made.times, made.units, label, shape, source)
    return recording


def _words(key: Array) -> list[int]:
    """The numbers in a key, from which generators of NumPy start."""
    typed = jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(key) if typed else key).ravel().tolist()
