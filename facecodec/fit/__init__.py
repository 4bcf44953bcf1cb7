"""From pixels to numbers: inversion, identity selection, tracking, tuning."""
