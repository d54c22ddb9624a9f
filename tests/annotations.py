"""The checker of annotations that the tests run with."""

from collections.abc import Callable
from typing import Any

from beartype import BeartypeConf, beartype

# As PEP 484 has it, and every static checker: an int is a float.
checked: Callable[..., Any] = beartype(conf=BeartypeConf(is_pep484_tower=True))
