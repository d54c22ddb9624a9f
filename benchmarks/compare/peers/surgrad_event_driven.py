"""surgrad's products through spikes, and through slopes of finite support."""

from __future__ import annotations

import functools

from benchmarks.compare.peers import surgrad

feedforward = functools.partial(surgrad.feedforward, event_driven=True)
recurrent = functools.partial(surgrad.recurrent, event_driven=True)
