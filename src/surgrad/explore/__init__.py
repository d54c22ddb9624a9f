"""The explorer: one HTML file in which surrogates are drawn, measured and compared, without a server.

The page computes with the library's own formulas: they are traced by JAX and translated to JavaScript.
"""

from typing import NoReturn as _NoReturn

from surgrad._answers import attribute_error as _attribute_error
from surgrad.explore._page import page, write

__all__ = ["page", "write"]


def __getattr__(name: str) -> _NoReturn:
    raise _attribute_error(__name__, name, __all__)
