"""Compositing: a decoded square laid over a frame, so that no edge shows."""
