"""What looks at results: evaluation, comparison, reports, the viewer."""
