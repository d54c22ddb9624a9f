"""Event-driven products: matrix products that only visit the non-zero entries of spikes and of gradients."""

from surgrad.nn._events.convolution import convolution_pays, event_convolution
from surgrad.nn._events.native import available
from surgrad.nn._events.product import event_product, pays
