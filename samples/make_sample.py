"""Make samples/sample.mp4: a person who does not exist, talking, 640x480, five seconds.

    python samples/make_sample.py [OUT.mp4]

The face comes from the generator and moves by the rig: speech-like bursts of the mouth, blinks, a
slow turn of the head. The picture is not aligned: the face drifts over a plain wall, with mild
camera noise; a tone with the rhythm of the mouth is the audio.
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
from facecodec.face.crop import paste
from facecodec.pipeline.models import load_models
from facecodec.pipeline.render import Renderer
from facecodec.rig.sampling import draw_latents

SEED = 27
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
    return np.clip(np.sum(closed, axis=0), 0, 1)


def controls(names: tuple[str, ...]) -> np.ndarray:
    """Return the scripted controls, float32 [FRAMES, 35]."""
    seconds = np.arange(FRAMES) / RATE
    track = np.zeros((FRAMES, len(names)), np.float32)
    track[:, names.index("yaw")] = 0.8 * np.sin(2 * np.pi * seconds / 4.0)
    track[:, names.index("pitch")] = 0.3 * np.sin(2 * np.pi * seconds / 2.7)
    for name, amount in MOUTH.items():
        track[:, names.index(name)] += amount * speech(seconds)
    for name, amount in LIDS.items():
        track[:, names.index(name)] += amount * blinks(seconds)
    return track


# Controls of the shipped rig that open the mouth and close the eyes, at full strength.
MOUTH = {"1.up/227": 2.5, "1.up/308": 2.0, "0.conv2/21": 1.5}
LIDS = {"2.conv2/77": -4.0, "3.up/464": 4.0}


def tone(frames: int) -> np.ndarray:
    """Return a hum with the rhythm of the mouth, int16 [1, samples]."""
    seconds = np.arange(frames * SAMPLE_RATE // RATE) / SAMPLE_RATE
    hum = np.sin(2 * np.pi * 140 * seconds) + 0.4 * np.sin(2 * np.pi * 420 * seconds)
    return (6000 * speech(seconds) * hum).astype(np.int16)[None]


def wall() -> np.ndarray:
    """Return a plain wall with uneven light, uint8 [HEIGHT, WIDTH, 3]."""
    noise = torch.from_numpy(np.random.default_rng(1).normal(size=(1, 3, 6, 8))).float()
    soft = F.interpolate(noise, (HEIGHT, WIDTH), mode="bicubic", align_corners=False)[0]
    colour = torch.tensor([168.0, 160.0, 150.0])[:, None, None] + 6 * soft
    return colour.clamp(0, 255).byte().permute(1, 2, 0).numpy()


def main(output: Path) -> None:
    """Render and write the sample."""
    generator, rig = load_models()
    w = draw_latents(generator, 100, seed=0, truncation=0.7)[SEED : SEED + 1]
    renderer = Renderer(generator, rig, generator.broadcast(w)[0].numpy(), 512)
    random = np.random.default_rng(2)
    background = wall()
    with av.open(str(output), "w") as out:
        video = out.add_stream("libx264", rate=RATE, options={"crf": "26", "preset": "slow"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        audio = out.add_stream("aac", rate=SAMPLE_RATE, options={"b": "32k"})
        audio.codec_context.layout = "mono"
        for i, row in enumerate(controls(rig.names)):
            x = 320 + 24 * np.sin(i / 19) + 4 * np.sin(i / 5)
            y = 250 + 10 * np.sin(i / 13)
            place = Alignment(x, y, 400 + 8 * np.sin(i / 31), 0.05 * np.sin(i / 17))
            image = paste(background, renderer(row[None])[0], place)
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
