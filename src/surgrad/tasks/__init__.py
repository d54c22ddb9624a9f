"""Data sets as spikes, by name."""

from surgrad.tasks.cues import delayed_memory, temporal_xor
from surgrad.tasks.dataset import Dataset, Split
from surgrad.tasks.digits import digits
from surgrad.tasks.manifolds import manifolds
from surgrad.tasks.mnist import fashion_mnist, mnist
from surgrad.tasks.registry import load, lookup, names
