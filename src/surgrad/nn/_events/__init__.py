"""Event-driven products: matrix products that only visit the non-zero entries of spikes and of gradients."""

from surgrad.nn._events.convolution import convolution_pays, cross_correlation
from surgrad.nn._events.native import available
from surgrad.nn._events.product import event_product, pays
