"""Reports of `check`: the verdicts on one object, and how they are printed."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple, get_args

import jax

from surgrad._answers import nearest_names
from surgrad._check.law import Law, NotApplicableError, Table, brief

Outcome = Literal["ok", "failed", "waived", "unneeded", "advice", "skipped"]
_WIDTH = 100


class Verdict(NamedTuple):
    """The result of `check` for one law.

    The outcome is `"ok"`, `"failed"`, `"waived"` (fails, as the class says it does), `"unneeded"` (waived, but it
    holds), `"advice"` (does not hold, but concerns readers or speed and not results) or `"skipped"` (does not apply to
    this object). The detail says what the law demands where it holds, the numbers and the place where it fails, the
    reason where it is waived or skipped, and what could be better where it is advice.
    """

    law: str
    outcome: Outcome
    detail: str


class Report:
    """The verdicts of `check`, one per law. It is true if no law failed, and prints as a table.

    >>> report = surgrad.check(surgrad.LeakyRelu(), laws=["centred", "non_negative"])
    >>> report.ok, report["centred"].outcome
    (True, 'waived')
    """

    def __init__(self, subject: str, verdicts: Iterable[Verdict]) -> None:
        self.subject: str = subject
        self.verdicts: tuple[Verdict, ...] = tuple(verdicts)

    @property
    def ok(self) -> bool:
        """Whether no law failed; advice and unneeded waivers are no failures."""
        return not self.failed

    @property
    def failed(self) -> tuple[str, ...]:
        """The names of the laws that failed."""
        return self._laws("failed")

    @property
    def advice(self) -> tuple[str, ...]:
        """The names of the laws that only advise and do not hold."""
        return self._laws("advice")

    @property
    def unneeded(self) -> tuple[str, ...]:
        """The names of the laws that are waived but hold."""
        return self._laws("unneeded")

    def _laws(self, outcome: Outcome) -> tuple[str, ...]:
        return tuple(v.law for v in self.verdicts if v.outcome == outcome)

    def __bool__(self) -> bool:
        return self.ok

    def __getitem__(self, law: str) -> Verdict:
        """Return the verdict on a law, by name."""
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
        """Raise if a law failed.

        Raises:
            AssertionError: a law failed; the message is the whole report.
        """
        if not self.ok:
            raise AssertionError(str(self))


def _mark(outcome: Outcome) -> str:
    """Return the outcome as printed; failures stand out in capitals."""
    return outcome.upper() if outcome == "failed" else outcome


def require(names: Iterable[str], table: Table, where: str) -> None:
    """Check that all names are names of laws.

    Raises:
        ValueError: one is not.
    """
    for name in names:
        if name not in table:
            near = nearest_names(str(name), table, cutoff=0.4) or list(table)
            raise ValueError(f"{where}: there is no law {name!r}; the nearest are {', '.join(near)}.")


def verdicts(table: Table, names: Iterable[str], probe: Any, waivers: Mapping[str, str]) -> list[Verdict]:
    """Return the verdicts on the named laws, in the order of the table."""
    names = set(names)
    # The laws report each NaN with its place; JAX's debugging would stop at the first. Only one law is about implicit
    # promotion.
    with (
        jax.debug_nans(False),
        jax.debug_infs(False),
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
    ):
        return _all_verdicts(table, names, probe, waivers)


def _all_verdicts(table: Table, names: set[str], probe: Any, waivers: Mapping[str, str]) -> list[Verdict]:
    """Return the verdicts on the named laws, and on those whose failure is the reason why one of them is skipped."""
    found: dict[str, Verdict] = {}
    to_do = [name for name in table if name in names]
    while to_do:
        name = to_do.pop(0)
        found[name], because = _verdict(table[name], probe, waivers.get(name))
        to_do += [other for other in because if other not in found and other not in to_do]
    return [found[name] for name in table if name in found]


def _verdict(law: Law, probe: Any, waiver: str | None) -> tuple[Verdict, tuple[str, ...]]:
    """Return the verdict on one law, and the laws whose failure skips it; an exception counts as a failure."""
    try:
        return _judged(law, law.broken(probe), waiver), ()
    except NotApplicableError as reason:
        return Verdict(law.name, "skipped", str(reason)), reason.because
    except Exception as error:
        return _judged(law, brief(error), waiver), ()


def _judged(law: Law, broken: str | None, waiver: str | None) -> Verdict:
    if waiver is None:
        if broken is None:
            return Verdict(law.name, "ok", law.says)
        return Verdict(law.name, "advice" if law.advice else "failed", broken)
    if broken is None:
        return Verdict(law.name, "unneeded", f"holds for these hyperparameters, though the class waives it: {waiver}")
    return Verdict(law.name, "waived", f"{waiver} ({broken})")
