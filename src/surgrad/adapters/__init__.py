"""Bridges to other frameworks, one module each: `surgrad.adapters.brainstate`, `.flax` and `.equinox`.

A surrogate is a pytree and can be used without a bridge: as `spk_fun=` of `brainpy.state` neurons, as an attribute of
modules of flax.nnx and equinox, as a parameter of Flax Linen and Haiku. The bridges make its hyperparameters trainable
by the means of each framework. This module imports none of them.
"""
