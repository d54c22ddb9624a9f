"""Networks as graphs of the Neuromorphic Intermediate Representation (NIR), and back.

NIR (Pedersen et al. (2024), Neuromorphic intermediate representation: A unified instruction set for interoperable
brain-inspired computing) describes neurons by differential equations in seconds, and arrays with their channels first.
`to_nir` and `from_nir` convert both exactly, for a time step and a scheme of integration that are given by name:

    >>> import jax
    >>> from surgrad import nn
    >>> from surgrad.adapters.nir import from_nir, to_nir
    >>> net = nn.Sequential(nn.Linear(3, 2, key=jax.random.key(0)), nn.LIF(tau=10.0, reset="zero"))
    >>> graph = to_nir(net, 3, dt=1e-3)
    >>> {name: type(node).__name__ for name, node in graph.nodes.items()}
    {'input': 'Input', 'linear_0': 'Affine', 'lif_1': 'LIF', 'output': 'Output'}
    >>> graph.nodes["lif_1"].tau.tolist()  # in seconds
    [0.01, 0.01]
    >>> from_nir(graph) == net
    True

Files are those of the package nir: `nir.write(path, graph)`, and `from_nir(path)`.
"""

from surgrad._extras import missing as _missing

try:
    import nir as _nir
except ImportError as _error:
    raise ImportError(_missing("surgrad.adapters.nir", "nir")) from _error

from surgrad.adapters.nir._layers import Scale, Threshold
from surgrad.adapters.nir._read import from_nir
from surgrad.adapters.nir._write import to_nir

__all__ = ["Scale", "Threshold", "from_nir", "to_nir"]
