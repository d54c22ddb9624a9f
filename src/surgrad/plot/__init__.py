"""Pictures: surrogates, studies, and what networks do.

Every function returns a Matplotlib figure of its own, made without pyplot and without a change of settings; save it
with `figure.savefig`. A class of surrogates has the same colour in every picture.
"""

from surgrad._extras import missing

try:
    import matplotlib
except ImportError as error:
    raise ImportError(missing("surgrad.plot", "matplotlib")) from error

from surgrad.plot.results import diagnosis, study
from surgrad.plot.surrogates import compare, gallery, surrogate, sweep
