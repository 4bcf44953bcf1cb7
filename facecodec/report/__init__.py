"""Pictures, tables and plots."""
