"""surgrad and its peers on a GPU: everything that is known of it, measured by one command. See ../README.md."""
