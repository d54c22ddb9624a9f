"""The command line: `surgrad COMMAND`, a command a file."""

from surgrad.cli._entry import main
