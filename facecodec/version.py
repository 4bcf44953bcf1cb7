"""The version of the package, read by setup.cfg and written into every stream."""

__version__ = "0.1.0"
