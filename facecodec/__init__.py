"""facecodec: talking-head video as one identity latent and a few numbers a frame.

    import facecodec

    facecodec.encode("in.mp4", "out.fcv")
    facecodec.decode("out.fcv", "back.mp4")
    facecodec.puppet("who.png", "motion.mp4", "puppet.mp4")

    stream = facecodec.open("out.fcv")
    for frame in stream:
        print(frame.time, frame.controls)
    picture = stream.render(10)

Everything is imported on first use: `import facecodec` is instant, and changes nothing in the
process. A program that wants the same bytes from run to run calls `set_process_defaults` before it
imports torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facecodec.version import __version__

if TYPE_CHECKING:
    from facecodec.avatar.avatar import Avatar
    from facecodec.bitstream import FrameFlags, open_stream
    from facecodec.clip.clip import Clip
    from facecodec.decoding.cut import cut
    from facecodec.decoding.decode import decode
    from facecodec.decoding.identity import extract_identity
    from facecodec.decoding.stream import Stream, StreamFrame
    from facecodec.decoding.stream import Stream as open
    from facecodec.editing import edits
    from facecodec.editing.context import add_context
    from facecodec.editing.edit import edit, export
    from facecodec.encoding.encode import encode
    from facecodec.encoding.enrol import enrol
    from facecodec.encoding.presets import Preset
    from facecodec.encoding.write import write_stream
    from facecodec.errors import (
        FacecodecError,
        ModelError,
        NoFaceError,
        StreamError,
        UsageError,
    )
    from facecodec.process import set_process_defaults
    from facecodec.puppetry.puppet import puppet
    from facecodec.study.compare import compare
    from facecodec.study.evaluate import Options
    from facecodec.study.evaluate import evaluate_files as evaluate
    from facecodec.study.evaluate import evaluate_puppet_files as evaluate_puppet

# name -> module of this package, and what it is called there; nothing for the module itself
_HOMES = {
    "Avatar": ("avatar.avatar", "Avatar"),
    "Clip": ("clip.clip", "Clip"),
    "FacecodecError": ("errors", "FacecodecError"),
    "FrameFlags": ("bitstream", "FrameFlags"),
    "ModelError": ("errors", "ModelError"),
    "NoFaceError": ("errors", "NoFaceError"),
    "Options": ("study.evaluate", "Options"),
    "Preset": ("encoding.presets", "Preset"),
    "Stream": ("decoding.stream", "Stream"),
    "StreamError": ("errors", "StreamError"),
    "StreamFrame": ("decoding.stream", "StreamFrame"),
    "UsageError": ("errors", "UsageError"),
    "add_context": ("editing.context", "add_context"),
    "compare": ("study.compare", "compare"),
    "cut": ("decoding.cut", "cut"),
    "decode": ("decoding.decode", "decode"),
    "edit": ("editing.edit", "edit"),
    "edits": ("editing.edits", ""),
    "encode": ("encoding.encode", "encode"),
    "enrol": ("encoding.enrol", "enrol"),
    "evaluate": ("study.evaluate", "evaluate_files"),
    "evaluate_puppet": ("study.evaluate", "evaluate_puppet_files"),
    "export": ("editing.edit", "export"),
    "extract_identity": ("decoding.identity", "extract_identity"),
    "open": ("decoding.stream", "Stream"),
    "open_stream": ("bitstream", "open_stream"),
    "puppet": ("puppetry.puppet", "puppet"),
    "set_process_defaults": ("process", "set_process_defaults"),
    "write_stream": ("encoding.write", "write_stream"),
}

__all__ = [
    "Avatar",
    "Clip",
    "FacecodecError",
    "FrameFlags",
    "ModelError",
    "NoFaceError",
    "Options",
    "Preset",
    "Stream",
    "StreamError",
    "StreamFrame",
    "UsageError",
    "__version__",
    "add_context",
    "compare",
    "cut",
    "decode",
    "edit",
    "edits",
    "encode",
    "enrol",
    "evaluate",
    "evaluate_puppet",
    "export",
    "extract_identity",
    "open",
    "open_stream",
    "puppet",
    "set_process_defaults",
    "write_stream",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    home, called = _HOMES[name]
    module = import_module(f"facecodec.{home}")
    return getattr(module, called) if called else module


def __dir__() -> list[str]:
    return sorted(__all__)
