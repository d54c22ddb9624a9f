"""Pictures: surrogates, studies, and what networks do.

Every function returns a Matplotlib figure of its own, made without pyplot and without a change of settings; save it
with `figure.savefig`. A class of surrogates has the same colour in every picture.
"""

try:
    import matplotlib
except ImportError as error:
    raise ImportError('surgrad.plot needs Matplotlib: pip install "surgrad[plot]"') from error

from surgrad.plot.results import diagnosis, study
from surgrad.plot.surrogates import compare, gallery, surrogate, sweep
