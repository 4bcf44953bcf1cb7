"""A decoded sequence against its reference: every measure in one pass, in constant memory.

    from facecodec.metrics.evaluate import evaluate
    from facecodec.metrics.evaluation import Settings

    result = evaluate(reference, decoded, Settings(landmarker=Path("face_landmarker.task")))
    result["psnr_face"], result["rho_au"], result.missing

Both are sequences of aligned squares; docs/metrics.md says what each measure means.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facecodec.errors import UsageError
from facecodec.face.alignment import SQUARE_SIZES
from facecodec.face.crop import resize
from facecodec.face.mask import face_mask
from facecodec.metrics.detail import OCTAVES, REGIONS, Detail, DetailMeter
from facecodec.metrics.evaluation import Evaluation, Settings, Values
from facecodec.metrics.landmarker import Landmarker
from facecodec.metrics.landmarker import missing as landmarker_missing
from facecodec.metrics.measures import DETAIL, PUPPET, RESYNTHESIS
from facecodec.metrics.pictures import all_three, mean_known
from facecodec.metrics.temporal import correlation, jitter, lip_errors
from facecodec.metrics.trace import Trace
from facecodec.progress import Progress, silent
from facecodec.types import Picture
from facecodec.weights.store import model_path, require

MEASURED_PIXELS = 256  # side of the squares everything is measured on
DETAIL_EVERY = 5  # spectra of large pictures cost as much as everything else of a frame
# Frames without landmarks for which the inner face counts as where it was: a hand, a blur.
HELD_FRAMES = 15
CORRELATED = ("yaw", "pitch", "mouth_opening", "eye_opening")


def evaluate(
    reference: Iterable[Picture],
    distorted: Iterable[Picture],
    settings: Settings | None = None,
    *,
    known: Trace | None = None,
    progress: Progress = silent,
    total: int | None = None,
) -> Evaluation:
    """Compare two sequences of aligned squares, uint8 RGB [S, S, 3], frame by frame.

    Each picture is scaled to 256x256; detail is measured in every fifth, at the size in which they
    come. known: the result of `trace_of` for the same reference and settings, which is then
    not read again. total: number of frames, for `progress`. Raises UsageError when one sequence
    ends before the other or both are empty, ModelError when a model is not installed.
    """
    settings = settings or Settings()
    with ExitStack() as stack:
        before, after = _traces(stack, settings.landmarker)
        before = known or before
        quality = _Quality()
        meter: DetailMeter | None = None
        for i, (large_a, large_b) in enumerate(_pairs(reference, distorted)):
            a, b = small(large_a), small(large_b)
            if known is None:
                before.add(a, embed=i % settings.identity_every == 0)
            after.add(b, embed=i % settings.identity_every == 0)
            quality.add(a, b, before.points_of(i))
            if i == 0 and large_a.shape == large_b.shape and _square(large_a) in SQUARE_SIZES:
                meter = DetailMeter(_square(large_a))
            if meter and i % DETAIL_EVERY == 0:
                meter.add(large_a, large_b, quality.face(meter.size))
            for network in settings.networks.values():
                network.add(a, b)
            progress("evaluating", i + 1, total)
    if len(after) == 0:
        raise UsageError("nothing to evaluate: there are no frames")
    series = quality.series()
    series["lip_error"] = lip_errors(before["points"], after["points"])
    series["identity"] = np.linalg.norm(before["embeddings"] - after["embeddings"], axis=1)
    worst = np.argsort(series["psnr_face"], kind="stable")
    values = {name: mean_known(series[name]) for name in (*quality.NAMES, "lip_error", "identity")}
    values |= _motion(before, after)
    values["jitter"] = jitter(before["points"], after["points"])
    values["faces"] = _seen_again(before, after)
    lowest = float(series["psnr_face"][worst[0]])
    values["worst_psnr_face"] = None if np.isnan(lowest) else lowest
    values |= {name: network.result() for name, network in settings.networks.items()}
    detail = meter.result() if meter else None
    values |= detail.values() if detail else {}
    missing = dict(settings.missing) | (_unseen_detail(detail) if detail else {})
    names = tuple(name for name in RESYNTHESIS if detail or name not in DETAIL)
    done = _finish(names, len(before), values, missing, settings.landmarker, series, worst)
    return replace(done, moves=_moves(before), detail=detail)


def trace_of(pictures: Iterable[Picture], settings: Settings | None = None) -> Trace:
    """Read a reference, uint8 RGB [S, S, 3] each, once for many comparisons with it.

    Settings as for `evaluate`. Raises ModelError when a model is not installed.
    """
    settings = settings or Settings()
    with ExitStack() as stack:
        trace, _ = _traces(stack, settings.landmarker)
        for i, picture in enumerate(pictures):
            trace.add(small(picture), embed=i % settings.identity_every == 0)
    return trace


def evaluate_puppet(
    source: Iterable[Picture],
    driver: Iterable[Picture],
    result: Iterable[Picture],
    settings: Settings | None = None,
    *,
    progress: Progress = silent,
    total: int | None = None,
) -> Evaluation:
    """Compare a puppet with the person it should be and the motion it should make.

    All are aligned squares, uint8 RGB [S, S, 3]: of the person in `source`, any number; of `driver`
    and `result` frame by frame. The
    identity distance is that of each result to the mean embedding of the source's pictures.
    FID, FVD and FVD_w compare the result with the source. Raises as `evaluate` does.
    """
    settings = settings or Settings()
    with ExitStack() as stack:
        before, after = _traces(stack, settings.landmarker)
        person, _ = _traces(stack, None)
        pictures_of = [small(picture) for picture in source]
        for i, picture in enumerate(pictures_of):
            person.add(picture, embed=i % settings.identity_every == 0)
        for i, pair in enumerate(_pairs(driver, result)):
            a, b = map(small, pair)
            before.add(a, embed=False)
            after.add(b, embed=i % settings.identity_every == 0)
            for network in settings.networks.values():
                network.add(pictures_of[i % len(pictures_of)], b)
            progress("evaluating", i + 1, total)
    if len(before) == 0 or not pictures_of:
        raise UsageError("nothing to evaluate: there are no frames")
    known = np.isfinite(person["embeddings"]).all(1)
    if not known.any():
        raise UsageError("no face in the source's frames")
    mean = person["embeddings"][known].mean(0)
    series = {"identity": np.linalg.norm(after["embeddings"] - mean, axis=1)}
    values = {"identity": mean_known(series["identity"]), "faces": _seen_again(before, after)}
    values |= _motion(before, after)
    values |= {name: network.result() for name, network in settings.networks.items()}
    worst = np.array([], int)
    done = _finish(
        PUPPET, len(before), values, settings.missing, settings.landmarker, series, worst
    )
    return replace(done, moves=_moves(before))


class _Quality:
    """PSNR, SSIM and L1 of each pair, over the whole square and the inner face."""

    NAMES = ("l1", "psnr", "ssim", "l1_face", "psnr_face", "ssim_face")

    def __init__(self) -> None:
        self._rows: list[tuple[float, ...]] = []
        self._mask: NDArray[np.bool_] | None = None
        self._unseen = 0

    def add(self, a: Picture, b: Picture, points: Values | None) -> None:
        """Compare a pair [S, S, 3]; `points` [68, 2] are the landmarks of the first.

        Without them the face is where it was last, for `HELD_FRAMES`.
        """
        mask = None if points is None else face_mask(points, MEASURED_PIXELS)
        seen = mask is not None and mask.any()
        self._mask = mask if seen else self._mask
        self._unseen = 0 if seen else self._unseen + 1
        there = self._mask is not None and self._unseen <= HELD_FRAMES
        whole, *face = all_three(a, b, [None, self._mask] if there else [None])
        self._rows.append((*whole, *(face[0] if face else [np.nan] * len(whole))))

    def face(self, size: int) -> NDArray[np.bool_] | None:
        """Return the inner face [size, size] of the last pair, None where there is none."""
        if self._mask is None or self._unseen > HELD_FRAMES:
            return None
        factor = size // MEASURED_PIXELS
        return self._mask.repeat(factor, 0).repeat(factor, 1)

    def series(self) -> dict[str, Values]:
        """Return each of `NAMES` over the pairs, [T]."""
        return {name: np.array([row[i] for row in self._rows]) for i, name in enumerate(self.NAMES)}


def _traces(stack: ExitStack, landmarker: Path | None) -> tuple[Trace, Trace]:
    read = None
    if landmarker is not None and landmarker_missing(landmarker) is None:
        read = stack.enter_context(Landmarker(landmarker))
    require("dlib-landmarks", "dlib-embedding")
    models = model_path("dlib-landmarks"), model_path("dlib-embedding")
    return Trace(*models, read), Trace(*models, read)


def _pairs(a: Iterable[Picture], b: Iterable[Picture]) -> Iterator[tuple[Picture, Picture]]:
    """Yield the pictures [H, W, 3] of both. Raises UsageError where one ends before the other."""
    for i, (x, y) in enumerate(itertools.zip_longest(a, b)):
        if x is None or y is None:
            which = "first" if x is None else "second"
            raise UsageError(f"the {which} sequence ends after {i} frames, the other goes on")
        yield x, y


def small(picture: Picture) -> Picture:
    """Return a picture [H, W, 3] at 256x256: averaged where it is a multiple of that."""
    factor, left = divmod(_square(picture), MEASURED_PIXELS)
    if left or factor < 2:
        return resize(picture, (MEASURED_PIXELS, MEASURED_PIXELS))
    means = picture.reshape(MEASURED_PIXELS, factor, MEASURED_PIXELS, factor, 3).mean((1, 3))
    result: Picture = means.round().astype(np.uint8)
    return result


def _square(picture: Picture) -> int:
    """Return the side of a square picture [S, S, 3], 0 for another shape."""
    height, width = picture.shape[:2]
    return height if height == width else 0


def _unseen_detail(detail: Detail) -> dict[str, str]:
    """Return why octaves are not compared that the source does not show."""
    why = f"finer than the source: compared at {detail.size} pixels"
    return {f"detail_{region}_{octave}": why for region in REGIONS for octave in OCTAVES}


def _motion(before: Trace, after: Trace) -> dict[str, float | None]:
    result = {name: correlation(before.signal(name), after.signal(name)) for name in CORRELATED}
    for name, signal in (("rho_au", "units"), ("rho_gaze", "gaze"), ("rho_pose", "pose")):
        result[name] = correlation(before[signal], after[signal])
    both = [np.concatenate([trace["units"], trace["gaze"]], axis=1) for trace in (before, after)]
    result["rho_au_gaze"] = correlation(both[0], both[1])
    return result


def _moves(before: Trace) -> dict[str, float | None]:
    stds: dict[str, float | None] = {}
    for name in CORRELATED:
        known = before.signal(name)[before.seen]
        stds[name] = float(known.std()) if len(known) else None
    return stds


def _seen_again(before: Trace, after: Trace) -> float | None:
    return float(after.seen[before.seen].mean()) if before.seen.any() else None


def _finish(
    names: tuple[str, ...],
    frames: int,
    values: Mapping[str, float | None],
    missing: Mapping[str, str],
    landmarker: Path | None,
    series: dict[str, Values],
    worst: NDArray[np.int64],
) -> Evaluation:
    """Return the values in the table's order, with the reason for each that is absent.

    `series` are [T] each; `worst` [T] are frame numbers.
    """
    reasons = dict(missing)
    lack = landmarker_missing(landmarker)
    for name in names:
        if values.get(name) is None and name not in reasons:
            unread = lack if name.startswith("rho_") else None
            reasons[name] = unread or _why(name)
    ordered = {name: values.get(name) for name in names}
    kept = {name: reason for name, reason in reasons.items() if ordered.get(name, 0) is None}
    return Evaluation(frames, ordered, kept, series, tuple(int(i) for i in worst))


def _why(name: str) -> str:
    if name in ("lpips", "fid", "fvd", "fvd_w"):
        return "needs the weights of a network; see docs/metrics.md"
    return "the reference shows too few faces, or does not move"
