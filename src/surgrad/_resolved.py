"""Objects of the user that a file or the command line names, `MODULE:NAME`."""

from __future__ import annotations

import importlib
import operator
import os
import sys
from typing import Any

from surgrad._answers import nearest_names


def resolved(text: str) -> Any:
    """What `MODULE:NAME` or `MODULE:NAME.ATTRIBUTE` stands for; the module may be in the working directory.

    Raises:
        ValueError: there is no such module, or no such name in it; the message gives the nearest.
    """
    module, _, name = text.partition(":")
    if not module or not name:
        raise ValueError(f"a name of yours is written MODULE:NAME, got {text!r}.")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    importlib.invalidate_caches()
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise ValueError(
            f"cannot import {module!r}: {error}; modules of yours are looked for in {os.getcwd()}."
        ) from error
    try:
        return operator.attrgetter(name)(found)
    except AttributeError as error:
        near = nearest_names(name, vars(found))
        answer = f"; the nearest is {near[0]!r}" if near else ""
        raise ValueError(f"module {module!r} has no {name!r}{answer}.") from error
