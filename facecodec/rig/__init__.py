"""Rigs: what the controls of a generator are, how they move its styles, and how they are chosen."""
