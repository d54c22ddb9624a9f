"""Learning the surrogate: calibration before training, tuning beside it, derivatives through it, and diagnosis."""
