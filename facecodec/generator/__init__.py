"""Generators: networks that draw faces from styles, cheap previews of them, and drawn faces."""
