"""The 35 controls: what they mean, how they are applied, how they are discovered."""
