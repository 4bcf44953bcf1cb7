"""The .fcv format in pure integers and bytes; SPEC.md's twin. Knows no torch."""

from facecodec.bitstream.audio import AudioPacket, AudioParameters
from facecodec.bitstream.chunks import Damage
from facecodec.bitstream.files import load_identity_file, open_stream
from facecodec.bitstream.frames import FrameRecord
from facecodec.bitstream.header import StreamHeader
from facecodec.bitstream.identity import pack_identity
from facecodec.bitstream.identity_file import IdentityFile, read_identity
from facecodec.bitstream.rates import RateSplit
from facecodec.bitstream.reader import StreamReader
from facecodec.bitstream.segment import FrameFlags
from facecodec.bitstream.steps import DEFAULT_QUALITY, control_steps
from facecodec.bitstream.writer import StreamWriter

__all__ = [
    "DEFAULT_QUALITY",
    "AudioPacket",
    "AudioParameters",
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
