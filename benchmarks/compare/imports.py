"""What an import costs: CPU seconds of a new Python that imports a module and ends."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

MODULES = ("", "jax", "surgrad", "snntorch", "spikingjelly.activation_based.neuron", "norse.torch", "spyx", "brainpy")
"""In the order of turns; the empty one is Python alone."""

TARGET = 1.3
"""CPU seconds that `import surgrad` may take in all."""


def seconds(module: str) -> float | None:
    """CPU seconds, of user and system; None where the module is not installed."""
    code = f"import {module}" if module else ""
    child = subprocess.Popen([sys.executable, "-W", "ignore", "-c", code], stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = status
    return None if status else used.ru_utime + used.ru_stime


def report(rounds: int) -> dict[str, Any]:
    """Medians over rounds in turn, after an import of each that fills the caches of files and bytecode."""
    installed = [module for module in MODULES if seconds(module) is not None]
    samples = [[seconds(module) for module in installed] for _ in range(rounds)]
    medians = dict(zip(installed, map(statistics.median, zip(*samples, strict=True)), strict=True))
    return {"rounds": rounds, "cpu_s": {m: medians.get(m) for m in MODULES}, "target_s": TARGET}


def main() -> None:
    """Measure and print, and write JSON if a path is given."""
    parser = argparse.ArgumentParser(description="CPU seconds of imports.")
    parser.add_argument("--rounds", type=int, default=7, help="imports of each module")
    parser.add_argument("--json", type=Path, help="file to write the numbers to")
    options = parser.parse_args()
    found = report(options.rounds)
    for module, value in found["cpu_s"].items():
        print(f"{module or 'Python alone':<40}" + ("not installed" if value is None else f"{value:.2f} s CPU"))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
