"""Photographs: read by Pillow (HEIC by pillow-heif), upright, in sRGB."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import av
import numpy as np
import pillow_heif
from PIL import Image, ImageCms, ImageOps
from PIL.Image import DecompressionBombError

from facecodec.errors import FacecodecError
from facecodec.picture_limits import MAX_PIXELS, check_picture_size
from facecodec.types import Picture
from facecodec.video.colour import HLG, PQ, to_rgb, to_standard
from facecodec.video.orientation import display_matrix, upright
from facecodec.video.source import Source

pillow_heif.register_heif_opener()

_HEIF = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"avif")
_MOVING = (b"hevc", b"hevx", b"msf1", b"avis")  # sequences, which libav reads
UNKNOWN = 2  # the code of a transfer function or of primaries that are not said
_SUFFIXES_OF_VIDEO = (".mjpg", ".mjpeg", ".mpjpeg")


def is_photograph(path: Path, head: bytes) -> bool:
    """Return whether a file, by its first bytes, is a single picture that is read here."""
    if head.startswith(b"\xff\xd8\xff"):
        return path.suffix.lower() not in _SUFFIXES_OF_VIDEO
    if head.startswith(b"\x89PNG\r\n\x1a\n"):  # moving ones and those with video's colours: libav
        return b"acTL" not in head and b"cICP" not in head
    if head.startswith(b"RIFF"):
        return head[8:12] == b"WEBP"
    if head[4:8] == b"ftyp":
        return head[8:12] in _HEIF and head[8:12] not in _MOVING
    return head.startswith((b"BM", b"II*\0", b"MM\0*"))


def read_photograph(path: Path, head: bytes) -> Picture:
    """Return a picture file as uint8 RGB [H, W, 3]: upright, in sRGB, transparency dropped.

    Raises FacecodecError for what cannot be read, is too large, or moves.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if head[4:8] == b"ftyp" and b"avif" not in head[8:32]:
                return _read_heif(path)
            with Image.open(path) as image:
                check_picture_size(image.width, image.height, path)
                if getattr(image, "n_frames", 1) > 1 and image.format in ("WEBP", "AVIF"):
                    raise FacecodecError(f"{path}: is a moving picture; convert it to a video")
                tagged = _tagged(head) or _coded(path)[1]
                picture = _standard(image, tagged)
                if tagged[0] not in (PQ, HLG):
                    return picture
                deep = _coded(path)[0]  # Pillow gives 8 bits, which are too few for these
                return picture if deep is None or deep.shape != picture.shape else deep
    except DecompressionBombError as error:
        raise FacecodecError(f"{path}: holds more than {MAX_PIXELS} pixels") from error
    except FacecodecError:
        raise
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, RuntimeError) as error:
        why = str(error).split("\n")[0].replace(str(path), "it")
        raise FacecodecError(f"{path}: not a picture that can be read ({why})") from error


def _read_heif(path: Path) -> Picture:
    file = pillow_heif.open_heif(path, convert_hdr_to_8bit=False)
    check_picture_size(file.size[0], file.size[1], path)
    profile = file.info.get("nclx_profile")
    if profile:
        transfer = int(profile.get("transfer_characteristics", UNKNOWN))
        primaries = int(profile.get("color_primaries", UNKNOWN))
    else:
        transfer, primaries = _coded(path)[1]
    if transfer in (PQ, HLG):
        coded = np.asarray(file)[..., :3].astype(np.uint16)  # decoded upright, by libheif
        if int(file.info.get("bit_depth", 8)) <= 8:
            coded *= 257
        return to_standard(coded, transfer, primaries)
    with Image.open(path) as image:
        return _standard(image, (transfer, primaries))


def _standard(image: Image.Image, tagged: tuple[int, int]) -> Picture:
    """Return an opened image upright and in sRGB; `tagged`: its transfer function and primaries."""
    profile = image.info.get("icc_profile")
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        deep = np.asarray(image, np.float64)
        image = Image.fromarray((deep / (257 if deep.max() > 255 else 1)).clip(0, 255).astype("u1"))
    if image.mode in ("P", "PA", "LA", "1", "La", "RGBa"):
        image = image.convert("RGBA")
    if profile and image.mode in ("RGB", "RGBA", "L", "CMYK"):
        image = _from_profile(image, profile)
    picture = np.array(image.convert("RGB"))  # a copy: Pillow gives arrays that are read-only
    transfer, primaries = tagged
    if not profile and (transfer in (PQ, HLG) or primaries in (9, 11, 12)):
        return to_standard(picture.astype(np.uint16) * 257, transfer, primaries)
    return picture


def _from_profile(image: Image.Image, profile: bytes) -> Image.Image:
    """Return an image converted from its ICC profile to sRGB, itself where it is in that."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return image
        if image.mode == "RGBA":
            image = image.convert("RGB")
        target = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image  # a profile that does not fit its picture is ignored, as browsers do
    return converted or image


def _tagged(head: bytes) -> tuple[int, int] | None:
    """Return the transfer function and primaries that a file names; AVIF may leave them out."""
    if head[4:8] != b"ftyp":
        return UNKNOWN, UNKNOWN
    at = head.find(b"colrnclx")
    if at < 0 or at + 12 > len(head):
        return None
    primaries, transfer = head[at + 8 : at + 10], head[at + 10 : at + 12]
    return int.from_bytes(transfer, "big"), int.from_bytes(primaries, "big")


def _coded(path: Path) -> tuple[Picture | None, tuple[int, int]]:
    """Return a HEIC or AVIF picture as libav decodes it, and its transfer function and primaries.

    Those are what the coded picture says itself. Of a picture in tiles it is the first one.
    """
    container, file = Source(path).open()
    try:
        frame = next(container.decode(video=0))
        tags = int(frame.color_trc), int(frame.color_primaries)
        return upright(to_rgb(frame), display_matrix(frame)), tags
    except (av.FFmpegError, StopIteration, IndexError, ValueError, FacecodecError):
        return None, (UNKNOWN, UNKNOWN)
    finally:
        container.close()
        file.close()
