"""The networks as plain modules: mapping and synthesis."""
