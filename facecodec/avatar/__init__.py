"""An avatar: one person of one generator, ready to be drawn at any controls."""
