"""Talking heads for browsers: a folder with a page, its player, a generator and streams."""
