"""Event-driven products: matrix products that go through the non-zeros of spikes, and of gradients, alone."""

from surgrad.nn._events.native import available
from surgrad.nn._events.product import event_product
