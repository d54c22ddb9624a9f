"""`check`: the laws of surrogates, tested on one object, and the report of it."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Iterable
from typing import Literal, NamedTuple, get_args

import jax

from surgrad._laws import LAWS, Law, NotApplicableError, Probe, brief
from surgrad._surrogate import Surrogate

Outcome = Literal["ok", "failed", "waived", "unneeded", "advice", "skipped"]
_WIDTH = 100


class Verdict(NamedTuple):
    """What `check` found about one law.

    The outcome is `"ok"`, `"failed"`, `"waived"` (fails, as the class says it does), `"unneeded"` (waived, but it
    holds), `"advice"` (does not hold, and does no harm: it is about readers, not about numbers) or `"skipped"` (has
    nothing to say of this surrogate). The detail has the number and the x where a law fails, the reason where it is
    waived or skipped, what could be better where it is advice, and what the law says where it holds.
    """

    law: str
    outcome: Outcome
    detail: str


class Report:
    """The verdicts of `check`, one a law; true if no law failed, printed as a table."""

    def __init__(self, subject: str, verdicts: Iterable[Verdict]) -> None:
        self.subject = subject
        self.verdicts = tuple(verdicts)

    @property
    def ok(self) -> bool:
        """Whether no law failed. Advice, and waivers that are not needed, do no harm here."""
        return not self.failed

    @property
    def failed(self) -> tuple[str, ...]:
        """The names of the laws that failed."""
        return self._laws("failed")

    @property
    def advice(self) -> tuple[str, ...]:
        """The names of the laws that do not hold and only advise."""
        return self._laws("advice")

    @property
    def unneeded(self) -> tuple[str, ...]:
        """The names of the laws that are waived and hold."""
        return self._laws("unneeded")

    def _laws(self, outcome: Outcome) -> tuple[str, ...]:
        return tuple(v.law for v in self.verdicts if v.outcome == outcome)

    def __bool__(self) -> bool:
        return self.ok

    def __getitem__(self, law: str) -> Verdict:
        """The verdict on one law, by its name."""
        for verdict in self.verdicts:
            if verdict.law == law:
                return verdict
        raise KeyError(f"no verdict on {law!r}; there are {', '.join(v.law for v in self.verdicts)}.")

    def __repr__(self) -> str:
        return f"<Report on {self.subject}: {self._summary()}>"

    def __str__(self) -> str:
        law_width = max((len(v.law) for v in self.verdicts), default=0)
        rows = [f"{_mark(v.outcome):<8}  {v.law:<{law_width}}  " for v in self.verdicts]
        lines = [*textwrap.wrap(f"{self.subject}: {self._summary()}", _WIDTH, subsequent_indent="  ")]
        for head, verdict in zip(rows, self.verdicts, strict=True):
            lines += textwrap.wrap(
                verdict.detail, _WIDTH, initial_indent=head, subsequent_indent=" " * len(head), break_on_hyphens=False
            )
        return "\n".join(lines)

    def _summary(self) -> str:
        counts = {o: len(self._laws(o)) for o in get_args(Outcome)}
        return ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)

    def raise_if_failed(self) -> None:
        """Nothing if no law failed.

        Raises:
            AssertionError: a law failed; the message is the whole report.
        """
        if not self.ok:
            raise AssertionError(str(self))


def _mark(outcome: Outcome) -> str:
    """Failures are what the eye looks for."""
    return outcome.upper() if outcome == "failed" else outcome


def check(surrogate: Surrogate, *, laws: Iterable[str] | None = None) -> Report:
    """A report on whether a surrogate keeps the laws that a surrogate gradient should keep.

    Each law is tested on points of |x| <= 10⁴, dense around the threshold. A class lists the laws that it breaks on
    purpose in `waivers`, with the reason; such a law is reported as `"waived"`, and as `"unneeded"` if it holds. That
    there is a docstring that names the hyperparameters is advice: without one a surrogate is as right as before.

    Parameters:
        surrogate: the object, a built-in one or of a class of yours.
        laws: names of the laws to test; all by default.

    Raises:
        TypeError: not a surrogate object.
        ValueError: there is no such law, in `laws` or in the waivers of the class.
    """
    if not isinstance(surrogate, Surrogate):
        raise TypeError(_not_a_surrogate(surrogate))
    for name in surrogate.waivers:
        _require(name, f"{type(surrogate).__name__}.waivers")
    names = list(LAWS) if laws is None else list(dict.fromkeys(laws))
    for name in names:
        _require(name, "check")
    probe = Probe(surrogate)
    # NaN is looked for here, and reported with its place; debugging aids would stop at the first.
    with jax.debug_nans(False), jax.debug_infs(False):
        verdicts = [_verdict(LAWS[n], probe) for n in LAWS if n in names]
    return Report(repr(surrogate), verdicts)


def _verdict(law: Law, probe: Probe) -> Verdict:
    """The outcome of one law; an exception is a failure, or what a law that advises has found."""
    try:
        broken = law.broken(probe)
    except NotApplicableError as reason:
        return Verdict(law.name, "skipped", str(reason))
    except Exception as error:
        broken = brief(error)
    waiver = probe.surrogate.waivers.get(law.name)
    if waiver is None:
        if broken is None:
            return Verdict(law.name, "ok", law.says)
        return Verdict(law.name, "advice" if law.advice else "failed", broken)
    if broken is None:
        return Verdict(law.name, "unneeded", f"holds for these hyperparameters, though the class waives it: {waiver}")
    return Verdict(law.name, "waived", f"{waiver} ({broken})")


def _not_a_surrogate(given: object) -> str:
    if isinstance(given, type) and issubclass(given, Surrogate):
        return f"check takes a surrogate object, got the class {given.__name__}; make one: {given.__name__}(...)."
    hint = "; from_grad and from_fun make one out of a function" if callable(given) else ""
    return f"check takes a Surrogate object, got {type(given).__name__}{hint}."


def _require(name: str, where: str) -> None:
    if name in LAWS:
        return
    near = difflib.get_close_matches(str(name), LAWS, n=3, cutoff=0.4) or list(LAWS)
    raise ValueError(f"{where}: there is no law {name!r}; the nearest are {', '.join(near)}.")
