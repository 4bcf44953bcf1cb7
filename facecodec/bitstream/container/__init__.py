"""Chunks in a row: reading, writing, indexing and repairing a stream."""
