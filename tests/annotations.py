"""The checker of annotations that the tests run with."""

from collections.abc import Callable
from typing import Any, Self

from beartype import BeartypeConf, beartype

# As PEP 484 has it, and every static checker: an int is a float.
_CHECKER: Callable[..., Any] = beartype(conf=BeartypeConf(is_pep484_tower=True))


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with its annotations checked, except for `Self`, which beartype knows in whole classes alone."""
    annotations = getattr(function, "__annotations__", {})
    if annotations.get("return") in ("Self", Self):
        function.__annotations__ = annotations | {"return": Any}
    return _CHECKER(function)
