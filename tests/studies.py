"""A tiny study, and its table, for the tests of studies."""

import dataclasses

import surgrad
from surgrad import study

SETTINGS = study.Settings(
    "temporal_xor", (("samples", 48),), seeds=(0, 1), epochs=1, steps=16, hidden=4, batch=16, mapping="map"
)


def tiny(name="tiny", settings=SETTINGS, **options):
    """Two surrogates, one of them at two scales: two programs."""
    variants = [*study.scaled(surgrad.Sigmoid(), (1.0, 50.0)), *study.scaled(surgrad.Arctan(), (1.0,))]
    return study.Study(name, variants, settings, **options)


def but_seconds(rows):
    """Rows without their wall times, which alone differ between two equal studies."""
    return [dataclasses.replace(row, seconds=0.0) for row in rows]


def address(folder):
    return f"sqlite:///{folder / 'results.db'}"
