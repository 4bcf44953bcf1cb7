"""Decode: a stream to pictures, or to a part of itself."""
