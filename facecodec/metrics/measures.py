"""The measures by name: how each is called, which way is better, how it is written."""

from __future__ import annotations

from dataclasses import dataclass

from facecodec.metrics.detail import OCTAVES, REGIONS


@dataclass(frozen=True)
class Measure:
    """`better` is 'higher', 'lower' or 'near 1'; `ideal` is the value of a clip against itself."""

    name: str
    title: str
    unit: str
    better: str
    ideal: float
    digits: int


_ALL = (
    Measure("l1", "L1, whole square", "of 255", "lower", 0, 2),
    Measure("psnr", "PSNR, whole square", "dB", "higher", float("inf"), 2),
    Measure("ssim", "SSIM, whole square", "", "higher", 1, 3),
    Measure("l1_face", "L1, inner face", "of 255", "lower", 0, 2),
    Measure("psnr_face", "PSNR, inner face", "dB", "higher", float("inf"), 2),
    Measure("ssim_face", "SSIM, inner face", "", "higher", 1, 3),
    *(
        Measure(
            f"detail_{region}_{octave}",
            f"detail of {octave} of 1024 pixels, {where}",
            "of the source's",
            "near 1",
            1,
            2,
        )
        for region, where in zip(REGIONS, ("inner face", "the rest"), strict=True)
        for octave in OCTAVES
    ),
    Measure("weave", "weave: a wave beyond the source's", "of 255", "lower", 0, 2),
    Measure(
        "psnr_face_large", "PSNR, inner face, at the source's size", "dB", "higher", float("inf"), 2
    ),
    Measure("ssim_face_large", "SSIM, inner face, at the source's size", "", "higher", 1, 3),
    Measure("skin_colour", "skin colour: difference in CIELAB, inner face", "", "lower", 0, 2),
    Measure("lpips", "LPIPS", "", "lower", 0, 3),
    Measure("identity", "L_ID: identity distance (dlib; same person < 0.6)", "", "lower", 0, 3),
    Measure("fid", "FID", "", "lower", 0, 1),
    Measure("fvd", "FVD", "", "lower", 0, 1),
    Measure("fvd_w", "FVD_w: mean FVD of 16-frame windows", "", "lower", 0, 1),
    Measure("rho_au", "rho_AU: expression over time", "", "higher", 1, 3),
    Measure("rho_gaze", "rho_gaze: gaze over time", "", "higher", 1, 3),
    Measure("rho_pose", "rho_pose: head pose over time", "", "higher", 1, 3),
    Measure("rho_au_gaze", "rho_AU-gaze: expression and gaze over time", "", "higher", 1, 3),
    Measure("yaw", "yaw over time (landmarks)", "r", "higher", 1, 3),
    Measure("pitch", "pitch over time (landmarks)", "r", "higher", 1, 3),
    Measure("mouth_opening", "mouth opening over time (landmarks)", "r", "higher", 1, 3),
    Measure("eye_opening", "eye opening over time (landmarks)", "r", "higher", 1, 3),
    Measure("lip_error", "lip error, of the eyes' distance", "", "lower", 0, 4),
    Measure("jitter", "jitter, of the eyes' distance", "", "lower", 0, 4),
    Measure("faces", "frames whose face is seen again", "share", "higher", 1, 3),
    Measure("worst_psnr_face", "worst frame: PSNR, inner face", "dB", "higher", float("inf"), 2),
)

MEASURES: dict[str, Measure] = {measure.name: measure for measure in _ALL}

DETAIL = (*(f"detail_{region}_{octave}" for region in REGIONS for octave in OCTAVES),
          "weave", "psnr_face_large", "ssim_face_large", "skin_colour")  # fmt: skip
RESYNTHESIS = tuple(name for name in MEASURES if name not in ("fvd_w", "rho_au_gaze"))
PUPPET = ("identity", "fid", "fvd", "fvd_w", "rho_au_gaze", "yaw", "pitch", "mouth_opening",
          "eye_opening", "faces")  # fmt: skip


def written(name: str, value: float | None) -> str:
    """Return a value as tables show it."""
    if value is None:
        return "n/a"
    if value in (float("inf"), float("-inf")):
        return "inf" if value > 0 else "-inf"
    measure = MEASURES[name]
    unit = f" {measure.unit}" if measure.unit in ("dB",) else ""
    return f"{value:.{measure.digits}f}{unit}"
