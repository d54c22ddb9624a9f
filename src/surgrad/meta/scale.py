"""The scale of a surrogate: how steep it is about the threshold, with its shape and normalisation kept."""

from __future__ import annotations

import dataclasses
from typing import Any

from surgrad._combine import Normalized, Temperature
from surgrad._numbers import require_real
from surgrad._surrogate import Surrogate
from surgrad._types import Parameter
from surgrad.meta.adaptive import HybridSpike


def steeper(surrogate: Surrogate, factor: Parameter) -> Any:
    """A surrogate that is narrower along x by a factor, > 0.

    One that is `Normalized` stays so, of unit peak or of unit area, and one that is hybrid stays hybrid; of any other
    the area stays, as under `Temperature`. Options are kept. Scales multiply: a surrogate twice as steep, twice, is
    four times as steep.
    """
    require_real("steeper", "factor", factor, above=0)
    if isinstance(surrogate, (Normalized, HybridSpike)):
        return surrogate.replace(surrogate=steeper(surrogate.surrogate, factor))
    if isinstance(surrogate, Temperature):
        return surrogate.replace(temperature=surrogate.temperature / factor)
    options = {f.name: getattr(surrogate, f.name) for f in dataclasses.fields(Surrogate)}
    return Temperature(surrogate, 1 / factor, **options)
