"""Bridges to other frameworks and formats, one module each: `brainstate`, `flax`, `equinox`, `cell` and `nir`.

A surrogate is a pytree and can be used without a bridge: as `spk_fun=` of `brainpy.state` neurons, as an attribute of
modules of flax.nnx and equinox, as a parameter of Flax Linen and Haiku. The bridges make its hyperparameters trainable
by the means of each framework. `cell` makes cells of other libraries cells of this one, and `nir` reads and writes
graphs of NIR. This module imports none of them.
"""
