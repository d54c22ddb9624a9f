"""The competitors, a file each: a function for each architecture, from a `Problem` to a `Program`."""
