"""One small module a command: options in, one call, a table or a progress bar out."""
