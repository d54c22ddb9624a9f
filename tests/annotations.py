"""The checker of annotations that the tests run with."""

from collections.abc import Callable
from typing import Any

from beartype import BeartypeConf, beartype

# As PEP 484 has it, and every static checker: an int is a float.
_checked: Callable[..., Any] = beartype(conf=BeartypeConf(is_pep484_tower=True))


def checked(function: Any) -> Any:
    """The function with its annotations checked but for `Self`, which beartype knows in whole classes only."""
    annotations = getattr(function, "__annotations__", {})
    if any(map(_is_self, annotations.values())):
        function.__annotations__ = {name: kind for name, kind in annotations.items() if not _is_self(kind)}
    return _checked(function)


def _is_self(kind: Any) -> bool:
    return str(kind) in ("Self", "typing.Self")
