"""Measurements of surgrad, alone and beside its peers."""
