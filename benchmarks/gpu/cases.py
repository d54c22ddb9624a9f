"""The cases that are measured on a GPU, the most wanted first: time may run out."""

from __future__ import annotations

from benchmarks.compare.cases import Case

WORKLOADS = {
    "g1": "the loop over LIF neurons alone",
    "g2": "700-128-20, the shape of Spiking Heidelberg Digits, a training step",
    "g3": "Linear(n, n) + LIF",
    "g4": "recurrent network 700-256-20",
    "g5": "convolutional network of three layers",
    "g6": "memory against the length of time, Linear(n, n) + LIF",
}


def cases(rehearse: bool = False) -> list[Case]:
    """All cases, or tiny ones of the same kinds, for a machine without a GPU."""
    if rehearse:
        return [
            *(Case("g1", "neurons", (512,), 8, 1, dtype=dtype) for dtype in ("float32", "float16")),
            Case("g2", "layered", (40, 32, 5), 20, 4, 0.1),
            Case("g3", "feedforward", (32, 32), 20, 4),
            Case("g4", "recurrent", (40, 32, 5), 20, 4, 0.1),
            Case("g5", "convolutional", (28, 1, 16, 32, 10), 4, 2, 0.1),
            *(Case("g6", "feedforward", (32, 32), steps, 4, 0.05, long=True) for steps in (20, 60)),
        ]
    linear = [Case("g3", "feedforward", (n, n), 500, 16) for n in (1024, 4096, 16_384)]
    lengths = [Case("g6", "feedforward", (512, 512), n, 16, 0.05, long=True) for n in (250, 1000, 4000, 16_000)]
    return [
        *(Case("g1", "neurons", (2**22,), 32, 1, dtype=dtype) for dtype in ("float32", "float16")),
        Case("g2", "layered", (700, 128, 20), 256, 256, 0.03),
        *linear[:2],
        Case("g4", "recurrent", (700, 256, 20), 250, 64, 0.03),
        Case("g5", "convolutional", (28, 1, 16, 32, 10), 50, 16, 0.1),
        *lengths[::-3],
        linear[2],
        *lengths[1:3],
    ]
