"""What chunks hold: payloads as integers, and the range coder under them."""
