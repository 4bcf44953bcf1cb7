"""Live: controls in, bytes out, a frame at a time; and back, over links that lose some."""

from facecodec.live.decoder import Decoder, LiveFrame
from facecodec.live.encoder import ControlsEncoder
from facecodec.live.packet_encoder import PacketEncoder
from facecodec.live.person import LivePerson
from facecodec.live.settings import LiveSettings

__all__ = [
    "ControlsEncoder",
    "Decoder",
    "LiveFrame",
    "LivePerson",
    "LiveSettings",
    "PacketEncoder",
]
