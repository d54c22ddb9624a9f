"""Event-driven products: matrix products that go through the non-zeros of spikes, and of gradients, alone."""

from surgrad.nn.events.native import available
from surgrad.nn.events.product import event_product
