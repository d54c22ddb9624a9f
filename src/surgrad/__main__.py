"""`python -m surgrad`, the command line."""

import sys

from surgrad.cli import main

sys.exit(main())
