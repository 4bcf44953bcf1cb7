"""Measures of quality; `facecodec.metrics.evaluate` computes all of them."""
