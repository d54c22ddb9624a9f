"""The spell-checker of `make lint`: docstrings, comments, messages and pages, in English and in the glossary's words.

    python tools/spelling.py            # the whole project
    python tools/spelling.py docs/x.md  # some files

A word is known if pyspellchecker has it, if a name of the code or the bibliography has it, or if the list of words at
the end of docs/reference/glossary.md has it. Text in backticks and blocks of code are not read. Words of the table
"Words that are not used" of the glossary are reported with what to write instead. The exit code is 1 if something is
reported.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

from markdown_it import MarkdownIt
from spellchecker import SpellChecker

ROOT = Path(__file__).resolve().parent.parent
GLOSSARY = ROOT / "docs" / "reference" / "glossary.md"
CHECKED = ("src", "tests", "docs", "tools", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "run.py")
WORD = re.compile(r"(?<![\w.@/\\-])[A-Za-z][a-z]+(?:'[a-z]+)?(?![\w@/\\]|\.\w|\()")
DIRECTIVE = re.compile(r"#!|# (pyright|type|fmt|isort|noqa)\b|.*noqa:")
SENTENCE = re.compile(r"[a-z][,;:.] .* |( \S+){3}.*[,;:.]", re.DOTALL)
PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
HEAD = re.compile(r"\A---\n.*?^---\n", re.DOTALL | re.MULTILINE)
NO_ENGLISH = re.compile(r"\{[\w-]+\}`[^`]*`|`[^`]*`|\$[^$]+\$|https?://\S+|\[[\w,]+\]")
Line = tuple[int, str]


def page_lines(text: str) -> Iterator[Line]:
    """Lines of a Markdown page, without its head, code, and the targets of links."""
    text = HEAD.sub(lambda head: "\n" * head.group().count("\n"), text)
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        for child in token.children or ():
            if child.type == "text":
                yield (token.map or [0])[0] + 1, child.content


DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def code_lines(text: str, messages: bool) -> Iterator[Line]:
    """Comments and docstrings of a Python file, and messages: strings in which there are sentences, not names."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and not DIRECTIVE.match(token.string):
            yield token.start[0], token.string
    nodes = list(ast.walk(ast.parse(text)))
    documented = [node for node in nodes if isinstance(node, DOCUMENTED) and ast.get_docstring(node)]
    strings = {id(node): node for node in (owner.body[0].value for owner in documented)}
    if messages:
        constants = [node for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        strings |= {id(node): node for node in constants if SENTENCE.search(node.value)}
    for node in strings.values():
        for offset, line in enumerate(node.value.splitlines()):
            yield node.lineno + offset, "" if line.lstrip().startswith((">>>", "...")) else line


def prose(path: Path) -> Iterator[Line]:
    """What of a file is English, line by line; code in backticks is left out."""
    text = path.read_text(encoding="utf-8")
    lines = page_lines(text) if path.suffix == ".md" else code_lines(text, messages="tests" not in path.parts)
    for number, line in lines:
        yield number, NO_ENGLISH.sub(" ", line)


def names(files: list[Path]) -> set[str]:
    """The parts of all names of the code, in lower case: `init_state` and `InitState` give init and state."""
    tokens = (token for file in files for token in tokenize.generate_tokens(io.StringIO(file.read_text()).readline))
    return {part.lower() for token in tokens if token.type == tokenize.NAME for part in PART.findall(token.string)}


def section(title: str) -> str:
    """The text of a section of the glossary."""
    return GLOSSARY.read_text(encoding="utf-8").split(f"## {title}\n")[1].split("\n## ")[0]


def forbidden() -> dict[re.Pattern[str], str]:
    """What not to write, and what to write instead, from the rows of the table."""
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", section("Words that are not used"), re.MULTILINE)
    return {re.compile(rf"\b{word}\b", re.IGNORECASE): instead for word, instead in rows[1:]}


def known() -> set[str]:
    """Words that the dictionary need not have."""
    code = sorted((ROOT / "src").rglob("*.py"))
    bibliography = (ROOT / "src/surgrad/references.bib").read_text(encoding="utf-8")
    listed = section("Words that dictionaries lack")
    return names(code) | {word.lower() for word in re.findall(r"[A-Za-z]+", bibliography + listed)}


def report(path: Path, accepted: set[str], table: dict[re.Pattern[str], str], english: SpellChecker) -> Iterator[str]:
    """A line for each unknown word and each word that is not used."""
    where = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    for number, line in prose(path):
        words = {word.removesuffix("'s") for word in WORD.findall(line)}
        for word in sorted(word for word in words if word.lower() not in accepted and word.lower() not in english):
            yield f"{where}:{number}: unknown word {word!r}; correct it, or add it to {GLOSSARY.relative_to(ROOT)}"
        for pattern, instead in table.items() if path != GLOSSARY else ():
            if match := pattern.search(line):
                yield f"{where}:{number}: {match.group()!r}; write {instead}"


def main(arguments: list[str]) -> int:
    """Report on files, or on the whole project."""
    given = [Path(argument).resolve() for argument in arguments] or [ROOT / name for name in CHECKED]
    folders = [file for path in given for file in ([path] if path.is_file() else sorted(path.rglob("*")))]
    files = [file for file in folders if file.suffix in (".py", ".md") and "_build" not in file.parts]
    accepted, table, english = known(), forbidden(), SpellChecker(distance=1)
    lines = [line for file in files for line in report(file, accepted, table, english)]
    print("\n".join(lines) or f"spelling: nothing to say about {len(files)} files")
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
