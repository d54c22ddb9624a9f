"""One harness for surgrad and its peers: the same work, checked to be the same, timed in turn. See ../README.md."""
