"""The surrogates, a family a file."""
