"""The count of the documents' blocks: each of the 51 has a test, which bears its number."""

import pathlib
import re

import pytest

BLOCKS = {"first": 10, "second": 11, "third": 13, "fourth": 13, "fifth": 4}


@pytest.mark.parametrize("document", BLOCKS)
def test_every_block_of_a_document_has_a_test(document):
    modules = pathlib.Path(__file__).parent.glob(f"test_{document}_document*.py")
    names = [name for module in modules for name in re.findall(r"^def test_blocks?_(\w+)", module.read_text(), re.M)]
    numbered = {int(n) for name in names for n in re.findall(r"^(\d\d)_(?:and_(\d\d)_)?", name)[0] if n}
    assert numbered == set(range(1, BLOCKS[document] + 1))
