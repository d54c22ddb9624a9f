"""Write `areas.json`: integrals of slopes, and their derivatives by k, by mpmath with 30 digits.

    pip install mpmath && python tests/golden_areas/write.py

`tests/test_common_view.py` has the same slopes, written for JAX.
"""

import json
from pathlib import Path

import mpmath

mpmath.mp.dps = 30
SLOPES = {
    "power": (lambda x, k: (1 + k * abs(x)) ** mpmath.mpf(-1.5), lambda k: [0], 2),
    "shifted": (lambda x, k: mpmath.exp(-(((x - mpmath.mpf("0.4")) * k) ** 2)), lambda k: [0.4], 3),
    "boxes": (
        lambda x, k: (abs(x) < k) + (abs(x - 3) < mpmath.mpf("0.1")) / mpmath.mpf(4),
        lambda k: [-k, k, mpmath.mpf("2.9"), mpmath.mpf("3.1")],
        mpmath.mpf("0.7"),
    ),
}
"""The slope, the places at which its integral is split, and k."""


def area(name, k):
    slope, places, _ = SLOPES[name]
    return mpmath.quad(lambda x: slope(x, k), [-mpmath.inf, *places(k), mpmath.inf])


if __name__ == "__main__":
    rows = {name: {"area": float(area(name, k)), "by_k": float(mpmath.diff(lambda k, name=name: area(name, k), k))}
            for name, (_, _, k) in SLOPES.items()}  # fmt: skip
    Path(__file__).with_name("areas.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
