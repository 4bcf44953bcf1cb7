"""Models that a command lacks are fetched after a question, where somebody can answer it."""

from __future__ import annotations

import os
import sys

import click

from facecodec.cli import console
from facecodec.errors import MissingModelError


def models_installed(error: MissingModelError, yes: bool) -> bool:
    """Install what is missing, if that is wanted; return whether it was.

    It is where `yes` is set, or where somebody at a terminal says so; where FACECODEC_OFFLINE
    forbids it, nobody is asked. Raises what the installation does.
    """
    from facecodec.weights.archives import offline
    from facecodec.weights.installer import install_many, megabytes

    if offline() or not (yes or _agreed(error.names, megabytes(error.names))):
        return False
    install_many(error.names, None, console.say, mirror=os.environ.get("FACECODEC_MIRROR"))
    return True


def _agreed(names: tuple[str, ...], size: int) -> bool:
    """Ask whether models may be fetched; nobody answers where there is no terminal."""
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    question = f"{', '.join(names)}: not installed. Fetch {size} MB of packages now?"
    return click.confirm(question, default=True, err=True)
