"""Optional dependencies: the extras of surgrad that install them, and the message if one is missing."""

from __future__ import annotations

from itertools import combinations

EXTRAS: dict[str, frozenset[str]] = {
    "plot": frozenset({"matplotlib"}),
    "data": frozenset({"h5py", "sklearn"}),
    "events": frozenset({"numba"}),
    "train": frozenset({"optax"}),
    "nir": frozenset({"nir"}),
    "flax": frozenset({"flax"}),
    "brain": frozenset({"brainstate"}),
    "cli": frozenset({"optax", "rich"}),
    "tune": frozenset({"optax", "optuna"}),
    "checkpoint": frozenset({"optax", "orbax"}),
    "track": frozenset({"tensorboardX"}),
    "study": frozenset({"optax", "optuna", "rich", "sqlalchemy", "statsmodels"}),
    "postgres": frozenset({"psycopg"}),
    "cluster": frozenset({"submitit"}),
    "demo": frozenset({"h5py", "matplotlib", "optax", "rich", "sklearn", "sqlalchemy"}),
}
"""The modules that surgrad imports from each extra of `pyproject.toml`; `tests/test_wheel.py` compares the two."""

_NAMES = {
    "matplotlib": "Matplotlib",
    "nir": "NIR (the package nir)",
    "numba": "Numba",
    "optax": "Optax",
    "optuna": "Optuna",
    "orbax": "Orbax",
    "psycopg": "Psycopg",
    "rich": "Rich",
    "sklearn": "scikit-learn",
    "sqlalchemy": "SQLAlchemy",
}


def missing(what: str, *modules: str) -> str:
    """Return the message for modules that are not installed, with the smallest extras that install all of them.

    Parameters:
        what: the part of surgrad that needs them.
        modules: names under which they are imported.
    """
    enough: list[tuple[str, ...]] = []
    for count in range(1, len(EXTRAS) + 1):
        if enough := [some for some in combinations(EXTRAS, count) if _offered(some).issuperset(modules)]:
            break
    smallest = ",".join(min(enough, key=lambda some: len(_offered(some))))
    names = ", ".join(_NAMES.get(module, module) for module in modules)
    return f'{what} needs {names}: pip install "surgrad[{smallest}]"'


def _offered(extras: tuple[str, ...]) -> frozenset[str]:
    return frozenset().union(*(EXTRAS[extra] for extra in extras))
