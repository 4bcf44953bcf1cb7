"""What the paper's tables measure; `facecodec.metrics.evaluate` is the way in."""
