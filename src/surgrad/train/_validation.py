"""The loss and the metrics of a network on validation data, and whether they still improve."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from surgrad.train._compiled import compiled
from surgrad.train._feed import Feed
from surgrad.train._given import Objective

Metric = Callable[[Any, Any], Any]


def evaluated(
    network: Any, feed: Feed, objective: Objective, metrics: Mapping[str, Metric], key: Array
) -> dict[str, float]:
    """Means over the samples: the loss as `validation_loss`, and each metric by its name.

    Of `Batches`, whose sizes nobody knows, they are means over the batches.

    Raises:
        ValueError: there are no batches.
    """
    functions = tuple(metrics.values())
    found, sizes = [], []
    for index, (batch, size) in enumerate(feed.in_order(key)):
        noise = feed.spread.everywhere(jax.random.fold_in(key, index))
        found.append(_judge(network, batch, noise, objective, functions))
        sizes.append(size)
    if not found:
        raise ValueError("fit: validation has no batches; give at least one sample, or leave it out.")
    rows = np.array([[float(value) for value in values] for values in jax.device_get(found)])
    means = np.average(rows, axis=0, weights=sizes)
    return dict(zip(["validation_loss", *metrics], map(float, means), strict=True))


@compiled(last=2)
def _judge(
    network: Any, batch: Any, key: Array, objective: Objective, metrics: tuple[Metric, ...]
) -> tuple[Array, ...]:
    return objective.judged(network, batch, key), *(metric(network, batch) for metric in metrics)
