"""A study as one declarative object: which runs it has, and what tells one run, or one study, from another."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax

from surgrad._kinds import require_kind
from surgrad.meta import Halving
from surgrad.study._configuration import checksum, plain_json, settings_as_json, variant_as_json
from surgrad.study._settings import Settings, Variant

if TYPE_CHECKING:
    from surgrad.study._rows import Row


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of a study.

    Parameters:
        variant: the surrogate.
        settings: those of the study.
        seed: the seed, one of those of the settings.
        halving: as that of the study.
        rivals: the checksum of the variants, seeds and rungs among which successive halving chooses; empty without it.
    """

    variant: Variant
    settings: Settings
    seed: int
    halving: Halving | None = None
    rivals: str = ""

    @functools.cached_property
    def configuration(self) -> dict[str, Any]:
        """All that decides the result, as plain JSON."""
        plain = settings_as_json(self.settings)
        for name in ("seeds", "mapping"):
            del plain[name]
        early = {"rivals": self.rivals} if self.rivals else {}
        return {"seed": self.seed, "variant": variant_as_json(self.variant), "settings": plain} | early

    @functools.cached_property
    def checksum(self) -> str:
        """The checksum of the configuration, by which the row of the run is found in a table."""
        return checksum(self.configuration)


@dataclasses.dataclass(frozen=True)
class Study:
    """A study: every variant of a surrogate, with every settings, and every seed of these, is one run.

    Nothing runs before `run` is called. Settings say which task, which network and which seeds; give several to study
    several tasks or networks.

        >>> import surgrad
        >>> from surgrad import study
        >>> scales = study.scaled(surrogate=surgrad.Sigmoid(), scales=(1.0, 100.0))
        >>> widths = study.Study("widths", scales, [study.Settings(hidden=n, seeds=(0, 1)) for n in (64, 128)])
        >>> len(widths.runs), widths.checksum[:8] == study.Study("widths", scales, widths.settings).checksum[:8]
        (8, True)

    Parameters:
        name: the name under which the rows are found in a table.
        variants: the surrogates, see `scaled`.
        settings: the settings, or a sequence of them.
        halving: None trains every run to the end. `meta.Halving(...)` ends the worse variants early: among the variants
            of a surrogate whose runs share a compiled program, judged by the mean training loss over the seeds; of
            its options only `rungs` matters.

    Raises:
        TypeError: an argument is something else, or a surrogate or a function of yours has no name under which it could
            be found again.
        ValueError: there are no variants or no settings, or two runs are the same.
    """

    name: str
    variants: Sequence[Variant]
    settings: Settings | Sequence[Settings] = Settings()  # noqa: RUF009 (immutable)
    halving: Halving | None = None

    def __post_init__(self) -> None:
        require_kind("Study: name", self.name, str, "text")
        if not self.name:
            raise ValueError("Study: the name is empty; rows in a table are found by it.")
        object.__setattr__(self, "variants", tuple(self.variants))
        object.__setattr__(self, "settings", self.grid)
        for what, values, kind in (("variants", self.variants, Variant), ("settings", self.grid, Settings)):
            if not values:
                raise ValueError(f"Study: there are no {what}; give at least one.")
            for value in values:
                require_kind(f"Study: each of {what}", value, kind, f"a study.{kind.__name__}")
        if self.halving is not None:
            require_kind("Study: halving", self.halving, Halving, "a meta.Halving, or None")
        self._require_different()

    @property
    def grid(self) -> tuple[Settings, ...]:
        """The settings, a tuple also where there is one."""
        return (self.settings,) if isinstance(self.settings, Settings) else tuple(self.settings)

    def _require_different(self) -> None:
        seen: set[str] = set()
        for run in self.runs:
            if run.checksum in seen:
                raise ValueError(
                    f"Study: two runs are the same, {run.variant.name} with {run.variant.parameter}="
                    f"{run.variant.value:g}, seed {run.seed}; leave one of the two out."
                )
            seen.add(run.checksum)

    @classmethod
    def from_toml(cls, path: str | Path) -> Study:
        """The study that a TOML file describes, see the how-to guide on studies.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is no TOML, or a key in it is unknown; the message gives the nearest.
        """
        from surgrad.study._toml import read

        return cls(**read(Path(path)))

    @functools.cached_property
    def runs(self) -> tuple[Run, ...]:
        """All runs, settings by settings, in each variant by variant, and in each seed by seed."""
        found = []
        for settings in self.grid:
            for variant in self.variants:
                rivals = self._rivals(variant, settings)
                found += [Run(variant, settings, seed, self.halving, rivals) for seed in settings.seeds]
        return tuple(found)

    def _rivals(self, variant: Variant, settings: Settings) -> str:
        if self.halving is None:
            return ""
        shape = jax.tree.structure(variant.surrogate)
        family = [variant_as_json(one) for one in self.variants if jax.tree.structure(one.surrogate) == shape]
        return checksum([family, list(settings.seeds), self._rungs()])

    def _rungs(self) -> Any:
        return None if self.halving is None else plain_json({"rungs": self.halving.rungs})

    @functools.cached_property
    def configuration(self) -> dict[str, Any]:
        """The study as plain JSON. How runs are mapped is not part of it."""
        several = [settings_as_json(settings) for settings in self.grid]
        for plain in several:
            del plain["mapping"]
        variants = [variant_as_json(variant) for variant in self.variants]
        return {"name": self.name, "variants": variants, "settings": several, "halving": self._rungs()}

    @functools.cached_property
    def checksum(self) -> str:
        """The checksum of the configuration."""
        return checksum(self.configuration)

    def rows(self, database: str, *, older: bool = False) -> list[Row]:
        """The rows of the runs that are in a table, in the order of `runs`; corrupt ones are left out.

        Parameters:
            database: as of `run`.
            older: whether rows of older versions of surgrad are among them.

        Raises:
            ImportError, ConnectionError, ValueError: as of `run`.
        """
        from surgrad.study._resume import in_order
        from surgrad.study._table import Table

        return in_order(self, Table(database), older)

    def run(
        self,
        database: str,
        *,
        tick: Callable[[Sequence[Run]], None] = lambda runs: None,
        finished: Callable[[list[Row]], None] = lambda rows: None,
        tell: Callable[[str], None] = warnings.warn,
        older: bool = False,
        memory: float | None = None,
    ) -> list[Row]:
        """Train the runs that are not in a table yet, and return the rows of all runs, in the order of `runs`.

        Runs that differ only in numbers share one compiled program, as wide as memory allows; the rows of each such
        chunk are in the table as soon as it has finished. Started again after an interruption of any kind, it does what
        is missing. Rows of an older version of surgrad count as missing, and stay. A corrupt row is reported with its
        checksum, removed, and computed again. While runs train, a database that cannot be reached is tried again for an
        hour. Where one run follows the other, as on CPUs, a row does not depend on what ran beside it; with
        `mapping="vmap"` numbers may differ by rounding, which training amplifies.

        Parameters:
            database: `sqlite:///results.db` or `postgresql+psycopg://user@host/name`.
            tick: a function that is called with the runs that train after each of their epochs, with halving at each
                rung; an exception that it raises ends the study.
            finished: a function that is called with the rows of a chunk once they are in the table.
            tell: a function that is called with a message when a row is corrupt, or the database is tried again.
            older: whether rows of older versions of surgrad count as done.
            memory: bytes that a compiled program may need; half of what is free if it is left out.

        Raises:
            ImportError: SQLAlchemy, or the driver of the database, is not installed.
            ConnectionError: the database cannot be reached; nothing has been trained.
            ValueError: another study of this name is in the table, or the address is not one of a database.
            KeyError, TypeError, ValueError: a task cannot be loaded, see `load`.
        """
        from surgrad.study._resume import resumed

        return resumed(self, database, tell, finished=finished, older=older, tick=tick, memory=memory)
