"""Layers, cells and networks of spiking neurons, and their evaluation over time."""

from typing import Any as _Any

from surgrad._answers import attribute_error as _attribute_error
from surgrad.nn._batch_norm import BatchNorm
from surgrad.nn._biophysical import AdEx, Izhikevich
from surgrad.nn._by_kernel import AvgPool, Conv, MaxPool
from surgrad.nn._cells import ALIF, LIF, CuBaLIF, LeakyIntegrator
from surgrad.nn._contract import Cell, Connection, Layer
from surgrad.nn._conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from surgrad.nn._delay import Delay
from surgrad.nn._delayed_linear import DelayedLinear
from surgrad.nn._delayed_recurrent import DelayedRecurrent
from surgrad.nn._dropout import Dropout, with_dropout
from surgrad.nn._flatten import Flatten
from surgrad.nn._foreign import Lambda
from surgrad.nn._former import former as _former
from surgrad.nn._fresh_draws import FreshDraws
from surgrad.nn._initialise import fluctuation_driven
from surgrad.nn._learnable_delay import LearnableDelay
from surgrad.nn._linear import Linear
from surgrad.nn._operations import Operations, energy_estimate, synaptic_operations
from surgrad.nn._parallel import ParallelLIF
from surgrad.nn._partition import TiedWeightsWarning, combine, partition
from surgrad.nn._pool import (
    AvgPool1d,
    AvgPool2d,
    AvgPool3d,
    MaxPool1d,
    MaxPool2d,
    MaxPool3d,
    SumPool1d,
    SumPool2d,
    SumPool3d,
)
from surgrad.nn._readout import FirstSpikeTime, HistogramOverTime, LastStep, MaxOverTime, MeanOverTime, MinOverTime
from surgrad.nn._record import Recording, record
from surgrad.nn._records import Record
from surgrad.nn._recurrent import Recurrent
from surgrad.nn._sequential import Sequential
from surgrad.nn._training import TrainingPass, TrainingPassRecords, unroll_in_training
from surgrad.nn._unroll import Unrolled, UnrolledRecords, unroll

__all__ = [
    "ALIF",
    "LIF",
    "AdEx",
    "AvgPool",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "BatchNorm",
    "Cell",
    "Connection",
    "Conv",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "CuBaLIF",
    "Delay",
    "DelayedLinear",
    "DelayedRecurrent",
    "Dropout",
    "FirstSpikeTime",
    "Flatten",
    "FreshDraws",
    "HistogramOverTime",
    "Izhikevich",
    "Lambda",
    "LastStep",
    "Layer",
    "LeakyIntegrator",
    "LearnableDelay",
    "Linear",
    "MaxOverTime",
    "MaxPool",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MeanOverTime",
    "MinOverTime",
    "Operations",
    "ParallelLIF",
    "Record",
    "Recording",
    "Recurrent",
    "Sequential",
    "SumPool1d",
    "SumPool2d",
    "SumPool3d",
    "TiedWeightsWarning",
    "TrainingPass",
    "TrainingPassRecords",
    "Unrolled",
    "UnrolledRecords",
    "combine",
    "energy_estimate",
    "fluctuation_driven",
    "partition",
    "record",
    "synaptic_operations",
    "unroll",
    "unroll_in_training",
    "with_dropout",
]


def __getattr__(name: str) -> _Any:
    value = _former(name)
    if value is None:
        raise _attribute_error(__name__, name, __all__)
    return value
