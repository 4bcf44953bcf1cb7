"""What is measured on pictures and signals."""
