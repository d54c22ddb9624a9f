"""The matrix products alone, in PyTorch: what no exact dense method can do without."""

from __future__ import annotations

import torch

from benchmarks.compare.peers import on_torch
from benchmarks.compare.problems import Problem
from benchmarks.compare.program import Program

ENTRIES = {
    "products_torch": {
        "label": "products alone, torch",
        "role": "limit",
        "packages": ("torch",),
        "devices": ("cpu",),
        "colour": "#AAAAAA",
    },
}


def feedforward(problem: Problem) -> Program:
    x = on_torch.inputs(problem).flatten(0, 1)
    weights = torch.from_numpy(problem.parameters["weights"])
    field = torch.ones(len(x), weights.shape[1])
    return Program(lambda: (x @ weights, x.T @ field), list, dict)


def layered(problem: Problem) -> Program:
    weights = [torch.from_numpy(value) for value in problem.parameters.values()]
    inputs = [on_torch.inputs(problem), *(torch.ones(*problem.inputs.shape[:2], len(w)) for w in weights[1:])]

    def step():
        forward = [x @ w for x, w in zip(inputs, weights, strict=True)]
        backward = [y @ w.T for y, w in zip(forward[1:], weights[1:], strict=True)]
        gradients = [torch.tensordot(x, y, ([0, 1], [0, 1])) for x, y in zip(inputs, forward, strict=True)]
        return forward, backward, gradients

    return Program(step, list, dict)


def recurrent(problem: Problem) -> Program:
    xs, p = on_torch.inputs(problem), {name: torch.from_numpy(w) for name, w in problem.parameters.items()}
    hidden = torch.ones(*xs.shape[:2], len(p["recurrent"]))
    readout = torch.ones(*xs.shape[:2], p["readout"].shape[1])

    def step():
        forward = [xs @ p["input"], hidden @ p["readout"], torch.stack([s @ p["recurrent"] for s in hidden])]
        backward = [readout @ p["readout"].T, torch.stack([g @ p["recurrent"].T for g in hidden])]
        gradients = [
            torch.tensordot(x, g, ([0, 1], [0, 1])) for x, g in ((xs, hidden), (hidden, hidden), (hidden, readout))
        ]
        return forward, backward, gradients

    return Program(step, list, dict)


def convolutional(problem: Problem) -> Program:
    xs, p = on_torch.inputs(problem).flatten(0, 1), problem.parameters
    first, second = (torch.from_numpy(p[k].transpose(3, 2, 0, 1).copy()) for k in ("first", "second"))
    dense = torch.from_numpy(p["dense"].reshape(-1, p["dense"].shape[-1]))
    convolution = torch.ops.aten.convolution_backward

    def step():
        forward = [torch.conv2d(xs, first), torch.conv2d(a, second), c @ dense]
        options = (None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1)
        backward = [
            convolution(forward[0], xs, first, *options, [False, True, False]),
            convolution(forward[1], a, second, *options, [True, True, False]),
            (forward[2] @ dense.T, c.T @ forward[2]),
        ]
        return forward, backward

    side = (xs.shape[-1] - 4) // 2
    a = torch.ones(len(xs), len(first), side, side)
    c = torch.ones(len(xs), len(dense))
    return Program(step, list, dict)
