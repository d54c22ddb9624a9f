"""Search: spaces of hyperparameters, trainings that can stop and go on, and methods to search with."""
