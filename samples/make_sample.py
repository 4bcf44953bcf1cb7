"""Make samples/sample.mp4: a person who does not exist, talking, 640x480, five seconds.

    python samples/make_sample.py [OUT.mp4]

The face comes from the generator: speech-like bursts of the mouth, blinks, a slow turn of the head.
Mouth and lids are moved by channels of the generator itself, so that another rig makes the same
motion. The picture is not aligned: the face drifts and turns before the camera, with mild noise; a
tone with the rhythm of the mouth is the audio.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
import torch.nn.functional as F

from facecodec.face.alignment import Alignment
from facecodec.generator.base import Generator
from facecodec.generator.sampling import draw_latents
from facecodec.models import load_models
from facecodec.pixels import to_uint8
from facecodec.process import set_process_defaults
from facecodec.rig.rig import Rig
from facecodec.rig.sensitivity import channel_stds

set_process_defaults()

SEED = 52
RATE = 25
FRAMES = 125
WIDTH, HEIGHT = 640, 480
SAMPLE_RATE = 24000


def speech(seconds: np.ndarray) -> np.ndarray:
    """Return how wide the mouth opens, 0 to 1: syllables at 4 Hz within phrases."""
    syllables = 0.5 - 0.5 * np.cos(2 * np.pi * (4.1 * seconds + 0.6 * np.sin(2.3 * seconds)))
    phrases = np.clip(1.6 * np.sin(2 * np.pi * seconds / 2.4 - 0.6) + 0.5, 0, 1)
    return syllables * phrases


def blinks(seconds: np.ndarray) -> np.ndarray:
    """Return how far the eyes are closed, 0 to 1."""
    closed = [np.exp(-(((seconds - at) / 0.07) ** 2)) for at in (0.9, 2.3, 3.1, 4.4)]
    shut: np.ndarray = np.clip(np.sum(closed, axis=0), 0, 1)
    return shut


# StyleSpace channels that open the mouth and close the eyes, in standard deviations at full swing.
MOUTH = {("2.conv2", 284): -4.0, ("0.conv2", 21): -3.0, ("1.up", 464): 3.0}
LIDS = {("2.conv2", 77): -4.0, ("2.up", 293): 4.0, ("3.up", 464): 4.0}


def motion(generator: Generator, rig: Rig) -> torch.Tensor:
    """Return how far the styles are from rest in every frame, [FRAMES, num_styles]."""
    seconds = np.arange(FRAMES) / RATE
    basis, spread = rig.basis(generator), channel_stds(generator, seed=0)
    moves = torch.zeros(FRAMES, generator.num_styles)
    yaw = 0.8 * np.sin(2 * np.pi * seconds / 4.0)
    pitch = 0.3 * np.sin(2 * np.pi * seconds / 2.7)
    for row, track in enumerate((yaw, pitch)):
        moves += torch.from_numpy(track).float()[:, None] * basis[row]
    for channels, track in ((MOUTH, speech(seconds)), (LIDS, blinks(seconds))):
        for (layer, index), amount in channels.items():
            place = generator.channel(layer, index)
            moves[:, place] += amount * spread[place] * torch.from_numpy(track).float()
    return moves


def tone(frames: int) -> np.ndarray:
    """Return a hum with the rhythm of the mouth, int16 [1, samples]."""
    seconds = np.arange(frames * SAMPLE_RATE // RATE) / SAMPLE_RATE
    hum = np.sin(2 * np.pi * 140 * seconds) + 0.4 * np.sin(2 * np.pi * 420 * seconds)
    return (6000 * speech(seconds) * hum).astype(np.int16)[None]


def seen_at(face: torch.Tensor, place: Alignment) -> torch.Tensor:
    """Return what a camera of WIDTH x HEIGHT sees of a picture [1, 3, S, S] at `place`."""
    matrix = place.corner_matrix()
    inverse = torch.tensor(np.linalg.inv(matrix[:, :2]), dtype=torch.float32)
    columns, rows = torch.arange(WIDTH) + 0.5, torch.arange(HEIGHT) + 0.5
    points = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1)
    unit = (points - torch.tensor(matrix[:, 2], dtype=torch.float32)) @ inverse.T
    return F.grid_sample(face, (unit * 2 - 1)[None], padding_mode="border", align_corners=False)


def main(output: Path) -> None:
    """Render and write the sample."""
    generator, rig = load_models(device="cpu")
    w = draw_latents(generator, 100, seed=0, truncation=0.7)[SEED : SEED + 1]
    with torch.no_grad():
        rest = generator.styles(generator.broadcast(w))
    moves = motion(generator, rig)
    random = np.random.default_rng(2)
    with av.open(str(output), "w") as out:
        video = out.add_stream("libx264", rate=RATE, options={"crf": "26", "preset": "slow"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        audio = out.add_stream("aac", rate=SAMPLE_RATE, options={"b": "32k"})
        audio.codec_context.layout = "mono"
        for i, moved in enumerate(moves):
            with torch.no_grad():
                face = generator.synthesize(rest + moved)
            x = 320 + 18 * np.sin(i / 19) + 3 * np.sin(i / 5)
            y = 208 + 8 * np.sin(i / 13)
            place = Alignment(x, y, 730 + 12 * np.sin(i / 31), 0.04 * np.sin(i / 17))
            image = to_uint8(seen_at(face, place))[0]
            noisy = image + random.normal(0, 2.0, image.shape)
            picture = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, RATE)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        sound = av.AudioFrame.from_ndarray(tone(FRAMES), format="s16", layout="mono")
        sound.sample_rate, sound.pts = SAMPLE_RATE, 0
        out.mux(audio.encode(sound))
        out.mux(audio.encode(None))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("sample.mp4"))
