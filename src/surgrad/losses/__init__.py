"""Losses and regularisers of spike trains and membrane potentials."""

from typing import NoReturn as _NoReturn

from surgrad._answers import attribute_error as _attribute_error

__all__: list[str] = []


def __getattr__(name: str) -> _NoReturn:
    raise _attribute_error(__name__, name, __all__)
