"""Programs of networks that are written in PyTorch. Its weights are `(outputs, inputs, ...)`, ours the other way."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from benchmarks.compare.problems import Problem
from benchmarks.compare.program import Program

DEVICE = torch.device(os.environ.get("BENCHMARK_DEVICE", "cpu"))
"""Where tensors are made. PyTorch's own default device would cost some of the time of every call."""

Network = Callable[[], tuple[torch.Tensor, Sequence[Any]]]
"""The readout, and the spikes of each layer: tensors, or lists of those of each step."""


def inputs(problem: Problem) -> torch.Tensor:
    """`(time, batch, inputs)`, or `(time, batch, channels, height, width)`."""
    return on_device(_channels_first(problem.inputs))


def on_device(values: np.ndarray) -> torch.Tensor:
    """A tensor on `DEVICE`."""
    return torch.from_numpy(values).to(DEVICE)


def synchronise() -> None:
    """Wait for what the device still has to do."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


def loss(labels: torch.Tensor | None, readout: torch.Tensor) -> torch.Tensor:
    """The sum of the readout, or its cross-entropy."""
    if labels is None:
        return readout.sum()
    return torch.nn.functional.cross_entropy(readout.mean(0), labels)


def program(problem: Problem, parameters: dict[str, torch.nn.Parameter], network: Network) -> Program:
    """Forward and backward pass of the loss; the parameters get the problem's values."""
    for name, parameter in parameters.items():
        value = on_device(np.ascontiguousarray(_outputs_first(problem.parameters[name])))
        parameter.data = value.reshape(parameter.shape)

    labels = None if problem.labels is None else on_device(problem.labels)

    def step() -> torch.Tensor:
        for parameter in parameters.values():
            parameter.grad = None
        value = loss(labels, network()[0])
        value.backward()
        synchronise()
        return value.detach()

    def spikes() -> list[np.ndarray]:
        with torch.no_grad():
            return [_channels_last(torch.stack(tuple(layer)).cpu().numpy()) for layer in network()[1]]

    def gradients() -> dict[str, np.ndarray]:
        step()
        return {name: _as_ours(p.grad.cpu().numpy(), problem.parameters[name].shape) for name, p in parameters.items()}

    return Program(step, spikes, gradients)


def neurons(problem: Problem, run: Callable[[torch.Tensor], torch.Tensor]) -> Program:
    """Spikes of neurons over time, and the gradient by their inputs."""
    currents, field = on_device(problem.parameters["currents"]).requires_grad_(), on_device(problem.inputs)

    def step() -> tuple[torch.Tensor, torch.Tensor]:
        currents.grad = None
        spikes = run(currents)
        spikes.backward(field)
        synchronise()
        return spikes.detach(), currents.grad

    def sampled(values: torch.Tensor) -> np.ndarray:
        return values[..., :: problem.stride].cpu().numpy()

    return Program(step, lambda: [sampled(step()[0])], lambda: {"currents": sampled(step()[1])})


def _channels_first(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(x, -1, 2)) if x.ndim == 5 else x


def _channels_last(x: np.ndarray) -> np.ndarray:
    return np.moveaxis(x, 2, -1) if x.ndim == 5 else x


def _outputs_first(x: np.ndarray) -> np.ndarray:
    return x.transpose(-1, -2, *range(x.ndim - 2)) if x.ndim > 1 else x


def _as_ours(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if len(shape) < 2:
        return x
    x = x.reshape(shape[-1], shape[-2], *shape[:-2])
    return x.transpose(*range(2, x.ndim), 1, 0)
