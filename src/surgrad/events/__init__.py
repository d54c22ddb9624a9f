"""Event data: recordings as times and units, their readers, augmentation, binning and batches."""

from typing import NoReturn as _NoReturn

from surgrad._answers import attribute_error as _attribute_error

__all__: list[str] = []


def __getattr__(name: str) -> _NoReturn:
    raise _attribute_error(__name__, name, __all__)
