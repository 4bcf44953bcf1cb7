"""PyAV in and out: frames, exact rational timestamps, audio packets."""
