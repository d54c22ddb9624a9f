"""A queue of chunks in the database of a study: Optuna hands them to workers, and takes them back from dead ones."""

from __future__ import annotations

import contextlib
import datetime
import time
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence

from surgrad._extras import missing
from surgrad.study._database import connect_args, engine_of
from surgrad.study._study import Run, Study

try:
    import optuna
    from optuna.trial import TrialState
    from sqlalchemy.exc import DBAPIError
except ModuleNotFoundError as error:
    raise ImportError(missing("a study with several workers", "optuna")) from error

_RUNS, _BEGUN, _RAISED = "surgrad:runs", "surgrad:begun", "surgrad:raised"
"""What a trial carries: the runs of its chunk, and its own number once its worker has begun, or has told of an error.

The trial with which Optuna replaces that of a dead worker inherits all of them, and has another number.
"""
GRACE = 3
"""Heartbeats after whose absence a worker is taken for dead."""
TRIES = 20
"""How often runs are begun at most by workers that die of them."""


class Queue:
    """The chunks of a study that wait, or that a worker has taken: each is a trial of Optuna.

    Parameters:
        study: the study.
        database: the address of the database.
        seed: of Optuna's sampler, another one for each worker.
        heartbeat: seconds between two signs of life of a worker, an integer >= 1.
    """

    def __init__(self, study: Study, database: str, seed: int, heartbeat: int):
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._grace = datetime.timedelta(seconds=GRACE * heartbeat)
        name = f"surgrad {study.name} {study.checksum[:12]}"
        sampler = optuna.samplers.RandomSampler(seed=seed)
        for attempt in range(5):
            try:
                with _quiet():
                    self._storage = _Storage(database, heartbeat)
                    self._trials = optuna.create_study(
                        storage=self._storage, study_name=name, sampler=sampler, load_if_exists=True
                    )
                return
            except DBAPIError:  # another worker creates the tables at the same moment
                if attempt == 4:
                    raise
                time.sleep(0.5 * (attempt + 1))

    def fill(self, chunks: Sequence[Sequence[Run]]) -> None:
        """Add chunks, without the runs that wait already, or that a living worker has taken.

        Raises:
            RuntimeError: a run has been begun too often.
        """
        with _quiet():
            self._fill(chunks)

    def _fill(self, chunks: Sequence[Sequence[Run]]) -> None:
        self._bury()
        taken = self._runs(TrialState.WAITING, TrialState.RUNNING)
        tries: dict[str, int] = {}
        for trial in self._trials.get_trials(deepcopy=False, states=(TrialState.FAIL,)):
            for run in trial.user_attrs.get(_RUNS, ()) if not _says(trial, _RAISED) else ():
                tries[run] = tries.get(run, 0) + 1
        for chunk in chunks:
            for run in chunk:
                if tries.get(run.checksum, 0) >= TRIES:
                    raise RuntimeError(
                        f"study: the run {run.checksum[:12]} ({run.variant.name}, {run.variant.parameter}="
                        f"{run.variant.value:g}, seed {run.seed}) was begun {TRIES} times, and each time its worker was"
                        " killed; it may need more memory than there is."
                    )
            if left := [run.checksum for run in chunk if run.checksum not in taken]:
                self._trials.enqueue_trial({}, user_attrs={_RUNS: left})

    def has_waiting(self) -> bool:
        """Whether a chunk waits for a worker."""
        with _quiet():
            return bool(self._runs(TrialState.WAITING))

    def take(self, train: Callable[[Collection[str]], None]) -> None:
        """Train the next chunk, if one waits; a function gets the checksums of its runs.

        The chunk goes to another worker if this one is not heard from while it trains.

        Raises:
            Exception: what the function raises.
        """
        raised: list[BaseException] = []

        def objective(trial: optuna.Trial) -> float:
            runs = trial.user_attrs.get(_RUNS)
            if runs is None:  # another worker was faster, and Optuna has made a trial up
                raise optuna.TrialPruned
            self._storage.record_heartbeat(trial._trial_id)
            trial.set_user_attr(_BEGUN, trial.number)
            try:
                train(runs)
            except BaseException as error:
                raised.append(error)
                with contextlib.suppress(optuna.exceptions.StorageInternalError):
                    trial.set_user_attr(_RAISED, trial.number)
                raise
            return 0.0

        try:
            with _quiet():
                self._trials.optimize(objective, n_trials=1)
        except (ValueError, optuna.exceptions.UpdateFinishedTrialError):
            # A chunk that was handed to another worker meanwhile cannot be told to have finished; its rows are there.
            if raised:
                raise raised[0] from None

    def _bury(self) -> None:
        """Fail the trials of workers that died: of those that gave signs of life, and of those that had not begun to.

        Optuna does not notice a worker that dies between taking a trial and its first heartbeat.
        """
        optuna.storages.fail_stale_trials(self._trials)
        now = datetime.datetime.now()
        for trial in self._trials.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if not _says(trial, _BEGUN) and now - (trial.datetime_start or now) > self._grace:
                with contextlib.suppress(ValueError):  # it has ended meanwhile
                    self._trials.tell(trial.number, state=TrialState.FAIL)

    def _runs(self, *states: TrialState) -> set[str]:
        trials = self._trials.get_trials(deepcopy=False, states=states)
        return {run for trial in trials for run in trial.user_attrs.get(_RUNS, ())}


def _says(trial: optuna.trial.FrozenTrial, what: str) -> bool:
    return trial.user_attrs.get(what) == trial.number


class _Storage(optuna.storages.RDBStorage):
    """Optuna's tables; a heartbeat that fails, since the database is away for a moment, is left out."""

    def __init__(self, database: str, heartbeat: int):
        engine = engine_of(database)
        sqlite = engine.dialect.name == "sqlite"
        super().__init__(
            engine.url.render_as_string(hide_password=False),
            engine_kwargs={"connect_args": connect_args(sqlite), "pool_pre_ping": True},
            heartbeat_interval=heartbeat,
            grace_period=GRACE * heartbeat,
            heartbeat_stale_trial_callback=optuna.storages.RetryHeartbeatStaleTrialCallback(max_retry=TRIES),
        )

    def record_heartbeat(self, trial_id: int) -> None:
        with contextlib.suppress(optuna.exceptions.StorageInternalError):
            super().record_heartbeat(trial_id)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Raise the errors of the database, not Optuna's; say nothing of heartbeats, which it marks as experimental."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        try:
            yield
        except optuna.exceptions.StorageInternalError as error:
            raise error.__cause__ or error from error
