"""Cells, connections and networks of spiking neurons, and their evaluation over time."""

from surgrad.nn._biophysical import AdEx, Izhikevich
from surgrad.nn._cells import ALIF, LI, LIF, CuBaLIF
from surgrad.nn._connections import Conv, Dense, Flatten, Pool
from surgrad.nn._contract import Cell, Connection, Layer
from surgrad.nn._delay import Delay
from surgrad.nn._foreign import Function
from surgrad.nn._initialise import fluctuation_driven
from surgrad.nn._partition import TiedWeightsWarning, combine, partition
from surgrad.nn._readout import FirstSpike, Last, Peak, Rate
from surgrad.nn._recurrent import Recurrent
from surgrad.nn._sequential import Sequential
from surgrad.nn._unroll import unroll
