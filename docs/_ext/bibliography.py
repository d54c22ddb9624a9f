"""The publications of the library's bibliography as text, and the page of all of them."""

from __future__ import annotations

import re
import unicodedata

import surgrad
from surgrad._cite import bibliography

ACCENTS = {"'": "\u0301", "`": "\u0300", "^": "\u0302", '"': "\u0308", "~": "\u0303", "c": "\u0327", "v": "\u030c"}
FIELD = re.compile(r"^\s*(\w+)\s*=\s*\{(.*?)\},?$", re.MULTILINE | re.DOTALL)


def plain(text: str) -> str:
    """Text of BibTeX without its marks."""
    text = re.sub(r"\{?\\(['`^\"~cv])\{?(\\?\w)\}?\}?", lambda m: m[2].strip("\\") + ACCENTS[m[1]], text)
    text = re.sub(r"[{}]", "", text).replace("--", "–").replace("\\&", "&")
    return unicodedata.normalize("NFC", " ".join(text.split()))


def names(authors: str) -> str:
    """The authors by initials and surname; the first of many."""
    found = []
    for author in authors.split(" and "):
        surname, _, given = author.partition(", ")
        found.append(" ".join([*(f"{word[0]}." for word in given.split()), surname]).strip())
    if len(found) > 3:
        return f"{found[0]} et al."
    return " and ".join([", ".join(found[:-1]), found[-1]] if len(found) > 1 else found)


def text(key: str) -> str:
    """A publication as one line of reStructuredText."""
    entry = {name.lower(): plain(value) for name, value in FIELD.findall(bibliography()[key])}
    venue = next((entry[f] for f in ("journal", "booktitle", "publisher", "school") if f in entry), "")
    arxiv = f"`arXiv:{entry['eprint']} <https://arxiv.org/abs/{entry['eprint']}>`__" if "eprint" in entry else ""
    doi = f"`doi:{entry['doi']} <https://doi.org/{entry['doi']}>`__" if "doi" in entry else ""
    parts = [f"{names(entry['author'])} ({entry['year']})", f"*{entry['title']}*", venue, doi or arxiv]
    return ". ".join(part.rstrip(".") for part in parts if part) + "."


def page() -> list[str]:
    """The page of all publications, with the surrogates that name them."""
    lines = ["Bibliography", "============", "", "Publications that the surrogates of the catalogue come from."]
    lines += ["``surgrad.cite(net)`` prints the BibTeX entries of those behind a network.", ""]
    for key in sorted(bibliography()):
        kinds = [name for name, kind in surgrad.catalogue().items() if key in kind.references]
        links = ", ".join(f":py:obj:`{name} <surgrad.{name}>`" for name in kinds)
        lines += [f".. _{key}:", "", f"- \\{text(key)}{' For ' + links + '.' if links else ''}", ""]
    return lines
