"""Data sets as spikes, by name."""

from surgrad.tasks.dataset import Dataset, Split, latency
from surgrad.tasks.digits import digits
from surgrad.tasks.registry import load, lookup, names
