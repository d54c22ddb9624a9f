"""Docstrings of this house as reStructuredText: their text is read as text, and only backticks and examples are marked.

`*`, `|` and `_` stand for themselves in a docstring, as in α|x|. Markdown's **bold** is the same in both languages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

BACKTICKS = re.compile(r"(``.+?``|`[^`]+`)")
BOLD = re.compile(r"(\*\*\w[^*]*\*\*)")
BULLET = re.compile(r"^\s*[-*] ")
NAME = re.compile(r"[A-Za-z_][\w.]*")
PROMPT = re.compile(r"^\s*>>> ")

Resolver = Callable[[str], str | None]
"""The full path of a name that a docstring mentions, if it is a public one."""


def prepared(lines: list[str], resolve: Resolver = lambda name: None) -> list[str]:
    """The lines of a docstring, with what reStructuredText would misread escaped, and examples at the margin."""
    found: list[str] = []
    for block, example in blocks(lines):
        if example:
            found += outdented(block, found)
        else:
            found += escaped(block, resolve)
    return found


def blocks(lines: list[str]) -> Iterator[tuple[list[str], bool]]:
    """The paragraphs of a docstring, each with whether it is an example; empty lines are paragraphs of their own."""
    block: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            block.append(line)
            continue
        if block:
            yield from _split(block)
            block = []
        yield [line], False


def _split(block: list[str]) -> Iterator[tuple[list[str], bool]]:
    """A paragraph, and the example that begins inside it."""
    start = next((i for i, line in enumerate(block) if PROMPT.match(line)), len(block))
    if block[:start]:
        yield block[:start], False
    if block[start:]:
        yield block[start:], True


def outdented(block: list[str], before: list[str]) -> list[str]:
    """An example without its indentation, unless it belongs to a section."""
    above = next((line for line in reversed(before) if line.strip()), "")
    indent = len(block[0]) - len(block[0].lstrip())
    if above.startswith(" ") or above.rstrip() in ("Example:", "Examples:"):
        return block
    return [line[indent:] for line in block]


def escaped(block: list[str], resolve: Resolver) -> list[str]:
    """A paragraph in which only backticks, bold words and bullets are marks; backticks may go over lines."""
    parts = BACKTICKS.split("\n".join(block))
    parts[::2] = [_text(part) for part in parts[::2]]
    parts[1::2] = [_code(part, resolve) for part in parts[1::2]]
    return _apart(parts).split("\n")


def _apart(parts: list[str]) -> str:
    """Parts as one text; an escaped space, which is not shown, separates marks from the letters beside them."""
    text = parts[0]
    for part in parts[1:]:
        touch = text[-1:] + part[:1]
        text += ("\\ " if re.match(r"\w[`:]|`\w", touch) else "") + part
    return text


def _text(part: str) -> str:
    pieces = BOLD.split(part)
    pieces[::2] = ["\n".join(_line(line) for line in piece.split("\n")) for piece in pieces[::2]]
    return "".join(pieces)


def _line(line: str) -> str:
    bullet = BULLET.match(line)
    head, rest = (bullet[0], line[bullet.end() :]) if bullet else ("", line)
    rest = re.sub(r"([\\|*])", r"\\\1", rest)
    return head + re.sub(r"(?<=\w)_(?!\w)", r"\\_", rest)


def _code(part: str, resolve: Resolver) -> str:
    """Code between backticks: a link where it is a public name, else an expression."""
    code = " ".join(part.strip("`").split())
    target = resolve(code) if NAME.fullmatch(code) else None
    return f":py:obj:`{code} <{target}>`" if target else f"``{code}``"
