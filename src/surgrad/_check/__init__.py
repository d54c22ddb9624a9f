"""`check`: the laws of surrogates, the runner that tests them, and the reports that it returns."""
