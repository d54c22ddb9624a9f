"""Gradients through training: the inner loop, hypergradients and their methods, and schedules."""
