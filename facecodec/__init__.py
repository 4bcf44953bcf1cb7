"""A codec for talking-head video: one identity latent and 35 controls a frame."""

from facecodec.version import __version__

__all__ = ["__version__"]
