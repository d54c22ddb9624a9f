"""A surrogate that is added to the library touches two files, and everything else follows."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import surgrad

SOURCE = Path(surgrad.__file__).parent
NEW = '''

class BoxTail(Surrogate):
    """A slope of 1/α next to the threshold, α/(α + |x|)².

    Parameters:
        alpha: width, > 0.
    """

    references = ("zenke2018superspike",)
    peaks = (0.0,)

    alpha: Parameter = parameter(default=0.5, above=0)

    def surrogate_fun(self, x: Membrane) -> Curve:
        return 0.5 + side(x) * (1 - self.alpha / (self.alpha + magnitude(x))) / 2

    def surrogate_grad(self, x: Membrane) -> Slope:
        return self.alpha / (self.alpha + jnp.abs(x)) ** 2 / 2


box_tail = functional(BoxTail)
'''
USES = """
import jax, surgrad
from surgrad.cli import main
assert len(surgrad.catalogue()) == {count} + 1
one = surgrad.Surrogate.from_config(surgrad.BoxTail(2.0).to_config())
assert one == surgrad.BoxTail(alpha=2.0)
assert jax.grad(surgrad.box_tail)(0.0, alpha=0.25) == 2.0
assert surgrad.check(one).ok, surgrad.check(one)
assert main(["check", "box_tail:alpha=0.5"]) == 0
assert "Zenke" in surgrad.cite(one)
assert abs(surgrad.width(one) - 2 * 2.0 * (2**0.5 - 1)) < 1e-5
assert str(surgrad._answers.attribute_error("surgrad.nn", "BoxTail", ())).endswith("it is surgrad.BoxTail.")
"""


def changed(before, after):
    files = [file.relative_to(after) for file in after.rglob("*.py")]
    return [file for file in files if (before / file).read_bytes() != (after / file).read_bytes()]


def test_a_surrogate_touches_its_family_and_the_public_names(tmp_path):
    copy = tmp_path / "surgrad"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    family, public = copy / "_surrogates" / "bump.py", copy / "__init__.py"
    family.write_text(family.read_text() + NEW)
    text = public.read_text().replace("    GaussianGrad,\n", "    BoxTail,\n    GaussianGrad,\n    box_tail,\n", 1)
    public.write_text(text.replace("__all__ = [\n", '__all__ = [\n    "BoxTail",\n    "box_tail",\n'))
    assert len(changed(SOURCE, copy)) == 2
    code = USES.replace("{count}", str(len(surgrad.catalogue())))
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
