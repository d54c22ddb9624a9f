"""Codes: spike trains of intensities, such as the pixels of images."""

from surgrad.encode._latency import latency, latency_steps
from surgrad.encode._rate import rate

__all__ = ["latency", "latency_steps", "rate"]
