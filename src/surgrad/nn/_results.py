"""What runs over time return."""

from __future__ import annotations

from typing import Any, NamedTuple

from surgrad._answers import missing_attribute


class Unrolled(NamedTuple):
    """The result of `unroll`.

    Parameters:
        state: the state after the last time step.
        outputs: the outputs, `(time, *batch, features)`, or what `keep` leaves of them.
    """

    state: Any
    outputs: Any

    __getattr__ = missing_attribute


class UnrolledRecords(NamedTuple):
    """The result of `unroll(..., record=...)`.

    Parameters:
        state: the state after the last time step.
        outputs: the outputs, `(time, *batch, features)`, or what `keep` leaves of them.
        records: what was recorded, by full names such as `"1.v"`: arrays `(recorded steps, *batch, neurons)`, or what
            summaries return.
    """

    state: Any
    outputs: Any
    records: dict[str, Any]

    __getattr__ = missing_attribute


class TrainingPass(NamedTuple):
    """The result of `unroll_in_training`.

    Parameters:
        state: the state after the last time step.
        outputs: the outputs, `(time, *batch, features)`.
        network: the network with new running means in its `BatchNorm` layers, and otherwise as it was given.
    """

    state: Any
    outputs: Any
    network: Any

    __getattr__ = missing_attribute


class TrainingPassRecords(NamedTuple):
    """The result of `unroll_in_training(..., record=...)`.

    Parameters:
        state: the state after the last time step.
        outputs: the outputs, `(time, *batch, features)`.
        network: the network with new running means in its `BatchNorm` layers, and otherwise as it was given.
        records: what was recorded, by full names, as of `UnrolledRecords`.
    """

    state: Any
    outputs: Any
    network: Any
    records: dict[str, Any]

    __getattr__ = missing_attribute
