"""Cells, connections and networks of spiking neurons, and their evaluation over time."""

from surgrad.nn.biophysical import AdEx, Izhikevich
from surgrad.nn.cells import ALIF, LI, LIF, CuBaLIF
from surgrad.nn.connections import Conv, Dense, Flatten, Pool
from surgrad.nn.contract import Cell, Connection, Layer
from surgrad.nn.delay import Delay
from surgrad.nn.foreign import Function
from surgrad.nn.initialise import fluctuation_driven
from surgrad.nn.partition import TiedWeightsWarning, combine, partition
from surgrad.nn.readout import FirstSpike, Last, Peak, Rate
from surgrad.nn.recurrent import Recurrent
from surgrad.nn.sequential import Sequential
from surgrad.nn.unroll import unroll
