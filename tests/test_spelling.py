"""The spell-checker: what it reads, what it reports, and that it has nothing to report."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("spellchecker")
ROOT = Path(__file__).parent.parent


def check(*files):
    done = subprocess.run(
        [sys.executable, "tools/spelling.py", *files], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def test_the_project_is_spelled_as_dictionary_and_glossary_say():
    code, lines = check()
    assert code == 0, "\n".join(lines)


CODE = '''"""A missspelled module, with Adam's optimiser and hyperparameters."""

wrnog_name = "short"  # a coment, at each moment


def function(x):
    """`codde` is not read, nor is https://exampel.org.

    >>> anything(goes, heer)
    """
    raise ValueError("x shall be pozitive, got this")
'''
PAGE = """# A hedding

Text with `codde` and [a link](https://exampel.org), inside of a list.

```python
heer = 1
```
"""


def test_docstrings_comments_and_messages_are_read(tmp_path):
    (tmp_path / "x.py").write_text(CODE)
    code, lines = check(tmp_path / "x.py")
    assert code == 1
    assert {line.partition("x.py:")[2].partition(";")[0] for line in lines} == {
        "1: unknown word 'missspelled'",
        "3: unknown word 'coment'",
        "3: 'each moment'",
        "11: unknown word 'pozitive'",
        "11: 'shall'",
    }


def test_pages_are_read_without_their_code(tmp_path):
    (tmp_path / "x.md").write_text(PAGE)
    code, lines = check(tmp_path / "x.md")
    said = [line.partition("x.md:")[2] for line in lines]
    assert code == 1
    assert said[0].startswith("1: unknown word 'hedding'; correct it, or add it to docs/reference/glossary.md")
    assert said[1:] == ["3: 'inside of'; write inside"]
