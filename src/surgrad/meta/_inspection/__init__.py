"""What a network looks like inside: recordings, calibration, diagnosis, and surrogates that follow the membranes."""
