"""Cells, layers and networks of spiking neurons."""

from surgrad.nn.cells import LI, LIF
from surgrad.nn.layers import Dense, Feedforward, unroll
