"""The surrogates, one file per family."""
