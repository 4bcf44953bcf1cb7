"""The .fcv format in pure integers and bytes; SPEC.md's twin. Knows no torch."""

from facecodec.bitstream.audio import AudioPacket, AudioParameters
from facecodec.bitstream.coding.header import StreamHeader
from facecodec.bitstream.coding.identity import pack_identity
from facecodec.bitstream.coding.segment import FrameFlags
from facecodec.bitstream.coding.steps import DEFAULT_QUALITY, control_steps
from facecodec.bitstream.container.chunks import Damage
from facecodec.bitstream.container.files import load_identity_file, open_stream
from facecodec.bitstream.container.frames import FrameRecord
from facecodec.bitstream.container.identity_file import IdentityFile, read_identity
from facecodec.bitstream.container.rates import RateSplit
from facecodec.bitstream.container.reader import StreamReader
from facecodec.bitstream.container.writer import StreamWriter
from facecodec.bitstream.context import ContextPictures, ContextPlate

__all__ = [
    "DEFAULT_QUALITY",
    "AudioPacket",
    "AudioParameters",
    "ContextPictures",
    "ContextPlate",
    "Damage",
    "FrameFlags",
    "FrameRecord",
    "IdentityFile",
    "RateSplit",
    "StreamHeader",
    "StreamReader",
    "StreamWriter",
    "control_steps",
    "load_identity_file",
    "open_stream",
    "pack_identity",
    "read_identity",
]
