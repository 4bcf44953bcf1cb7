"""Somebody whom nobody has enrolled: quickly known, then better, while the call goes on."""

from __future__ import annotations

import io
import sys
import threading
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import FrameFlags
from facecodec.encoding.presets import LIVE_TRACKING
from facecodec.errors import FacecodecError, NoFaceError, UsageError
from facecodec.fit.fast_tracking import FastTracker
from facecodec.fit.landmark_guide import LandmarkGuide
from facecodec.fit.photometric import TrackingPlan
from facecodec.generator.sampling import draw_latents
from facecodec.live import Decoder, LivePerson, LiveSettings, enrolling, enrolment_apart, newcomer
from facecodec.live.enrolment_apart import EnrolmentApart
from facecodec.live.landmark_tracker import LIMIT, LandmarkTracker
from facecodec.live.messages import MAX_BYTES, as_array, read_message, write_message
from facecodec.live.newcomer import FIRST_PICTURES, WATCHED, Newcomer
from facecodec.live.opening import open_link
from facecodec.live.pictures import PictureDecoder, Tracked
from facecodec.live.send import send
from facecodec.live.sender import Taken
from facecodec.live.speaker import Speaker
from facecodec.models import FaceModel
from tests.helpers.clips import gradient, write_clip
from tests.helpers.faces import face
from tests.helpers.presets import TINY

SIZE, CONTROLS = 256, 35
QUICKLY = TrackingPlan(
    size=64,
    short_previews=True,
    iterations=1,
    preview_renders=3,
    prepared_renders=40,
    guided_steps=1,
    full_iterations=0,
)


@pytest.fixture(scope="module")
def model(generator, rig) -> FaceModel:
    return FaceModel(generator, rig)


@pytest.fixture(scope="module")
def people(model) -> list[Avatar]:
    """Two guesses at a person."""
    rows = [draw_latents(model.generator, model.generator.num_ws, seed=s, truncation=0.6)
            for s in (4, 5)]  # fmt: skip
    return [Avatar(model, row.numpy()) for row in rows]


class Still:
    """A tracker of a head that is turned by a known amount."""

    hurried = predicted = dropped = 0

    def __init__(self, turned: float) -> None:
        self.turned = turned

    def see(self, frame: np.ndarray, time: float) -> Any:
        return None

    def track(self, look: Any, came: float | None = None) -> Tracked:
        return Tracked(np.full(CONTROLS, self.turned, np.float32))


def test_the_person_before_is_shown_until_all_of_the_next_one_has_come(people, model):
    row = np.zeros(CONTROLS, np.float32)
    first = open_link(people[0], fps=25, datagrams=True)
    person = LivePerson.from_identity_file(people[1].identity_file())
    for refines, shown in ((first.header.stream_id, "person"), (None, "nobody")):
        viewer = PictureDecoder(datagrams=True, depth=0, size=SIZE, model=model)
        for datagram in open_link(people[0], fps=25, datagrams=True).push(row, 0):
            viewer.decoder.feed(datagram)
        for i in range(100):
            for datagram in first.push(row, i / 25) if first.frames < 100 else ():
                viewer.decoder.feed(datagram)
        viewer.avatar()
        assert viewer.stage in ("person", "nobody")
        before = viewer.avatar()
        second = open_link(
            people[1], fps=25, datagrams=True, person=replace(person, refines=refines)
        )
        stages = []
        for i in range(100):
            for datagram in second.push(row, 4 + i / 25):
                viewer.decoder.feed(datagram)
            now = viewer.avatar()
            stages.append("before" if now is before else viewer.stage)
        if refines:
            assert stages[0] == "before" and set(stages) == {"before", "person"}
        else:
            assert stages[0] == "nobody" and set(stages) == {"nobody", shown, "person"}
        assert (now.latent == _as_sent(people[1])).all()


def _as_sent(avatar: Avatar) -> np.ndarray:
    return avatar.identity_file().w_plus(avatar.model.mean)


def test_a_reference_to_another_stream_that_is_none_counts_as_none(people):
    link = open_link(people[0])
    for said in ("", "no hexadecimal", "00"):
        decoder = Decoder()
        head = replace(link.header, metadata={"refines": said})
        made = type(link)(head, LivePerson.from_identity_file(people[0].identity_file()))
        decoder.feed(made.push(np.zeros(CONTROLS, np.float32), 0))
        assert decoder.refines == (b"\0" if said == "00" else None)


def test_landmarks_alone_say_how_a_face_moves():
    neutral = face(0.5, 0.5, 1 / 256)
    rng = np.random.default_rng(1)
    derivative = rng.normal(0, 0.01, (136, 3))
    guide = LandmarkGuide(derivative, neutral)
    meant = np.array([0.8, -1.2, 0.5])
    moved = neutral + (derivative @ meant).reshape(68, 2)
    seen = iter([100 + 256 * neutral] * 3 + [100 + 256 * moved] * 30 + [None] * 30)
    tracker = LandmarkTracker(guide, neutral, lambda frame: next(seen))
    frame = np.zeros((8, 8, 3), np.uint8)
    tracked = [tracker.track(tracker.see(frame, i / 25)) for i in range(63)]
    assert np.abs(tracked[2].controls).max() < 0.05
    # the square follows the face: a part of the change is taken for a move of it
    assert np.corrcoef(tracked[32].controls, meant)[0, 1] > 0.95
    assert 0.6 < np.linalg.norm(tracked[32].controls) / np.linalg.norm(meant) < 1.2
    assert tracked[34].flags == FrameFlags.LOW_CONFIDENCE  # a blink of the finder
    assert (tracked[34].controls == tracked[32].controls).all()
    assert tracked[62].flags == FrameFlags.NO_FACE and tracked[62].placement is not None
    # a landmark that is read wrongly counts little
    away = moved.copy()
    away[5] += 0.5
    controls, _ = tracker.evidence(away)
    assert np.abs(controls).max() < LIMIT


def test_a_call_goes_over_to_a_person_who_is_known_better(tmp_path, people, capfdbinary):
    """From one guess to the next, tracked better in between, through a pipe."""
    clip = write_clip(tmp_path / "in.mkv", [gradient(shade=3 * i) for i in range(9)], "ffv1",
                      pix_fmt="bgr0", audio="aac", rate=48000)  # fmt: skip
    persons = [LivePerson.from_identity_file(person.identity_file()) for person in people]
    settings = LiveSettings()
    quick = Speaker("quick", people[0], persons[0], Still(1.0), settings)
    tracked = replace(quick, tracker=Still(2.0))
    better = Speaker("fitted", people[1], persons[1], Still(3.0), settings)
    known = iter([quick, quick, tracked, tracked, better, better, better, better, better])

    class Somebody:
        def meet(self, take: Any, stop: threading.Event) -> Taken | None:
            return take(stop)

        def speaker(self) -> Speaker:
            return next(known)

    with mock.patch("facecodec.live.send.newcomer", lambda *_: nullcontext(Somebody())):
        done = send(str(clip), "-", every_frame=True)
    assert done.frames == 9 and list(done.stages) == ["quick", "fitted"] and done.audio
    decoder = Decoder()
    data, frames, heard = capfdbinary.readouterr().out, [], []
    for i in range(0, len(data), 100):
        frames += decoder.feed(data[i : i + 100])
        heard += decoder.packets()
    turned = [round(float(frame.controls[0])) for frame in frames]
    assert turned == [1, 1, 2, 2, 3, 3, 3, 3, 3]
    ids = [frame.stream_id for frame in frames]
    assert len(set(ids[:4])) == len(set(ids[4:])) == 1 and decoder.refines == ids[0] != ids[4]
    assert decoder.identity == persons[1].identity and decoder.ended
    assert [frame.time for frame in frames] == [Fraction(i, 25) for i in range(9)]
    assert [p.pts for p in heard] == sorted({p.pts for p in heard})  # none lost, none twice


class Asked:
    """In place of the process: remembers what it is given, and says what it is told to."""

    ended = False

    def __init__(self, *answers: Any) -> None:
        self.pictures: list[np.ndarray] = []
        self.begun = 0
        self.answers = list(answers)

    def offer(self, picture: np.ndarray) -> None:
        self.pictures.append(picture)

    def begin(self) -> None:
        self.begun += 1

    def news(self, timeout: float = 0.0) -> Any:
        return self.answers.pop(0) if self.begun and self.answers else None


def described(avatar: Avatar, stage: str) -> dict[str, np.ndarray]:
    return {
        "stage": as_array(stage.encode()),
        "person": as_array(avatar.identity_file().pack()),
        "neutral": face(0.5, 0.5, 1 / 256),
        "embedding": np.zeros(128),
    }


@contextmanager
def seen_at_once() -> Any:
    """Every frame shows the face; pictures are handed over without a pause."""
    points = face(50, 40, 0.4)
    with (
        mock.patch.object(newcomer, "OnePerson", lambda *_, **__: mock.Mock(return_value=points)),
        mock.patch.object(newcomer, "FIRST_INTERVAL", 0.0),
        mock.patch.object(newcomer, "LATER_INTERVAL", 0.0),
    ):
        yield


def test_a_newcomer_is_met_and_comes_to_be_known(people, model):
    guide = LandmarkGuide(np.zeros((136, CONTROLS)), face(0.5, 0.5, 1 / 256))
    quick, better = described(people[0], "quick"), described(people[1], "fitted")
    learnt = {"learnt.derivative": np.zeros(1)}
    apart = Asked(None, quick, None, quick | learnt, better | learnt)
    frame = np.zeros((100, 120, 3), np.uint8)
    made = mock.Mock()
    with (
        seen_at_once(),
        mock.patch.object(newcomer, "Preparation"),
        mock.patch.object(newcomer, "PersonTracker", made),
    ):
        somebody = Newcomer(apart, model, guide, LiveSettings.for_packets(), keep_up=True)
        pictures = [Taken(frame, Fraction(i), 0.0, []) for i in range(9)]
        first = somebody.meet(lambda _: pictures.pop(0), threading.Event())
        assert first is not None and first.time == FIRST_PICTURES + 0 and apart.begun == 1
        speaker = somebody.speaker()
        assert speaker.stage == "quick" and isinstance(speaker.tracker, LandmarkTracker)
        assert speaker.quantiser is None and speaker.settings.person_bytes == 1150
        assert somebody.speaker().person is speaker.person
        now = somebody.speaker()
        assert now.person is now.person is not None and now.tracker is made.return_value
        last = somebody.speaker()
        with mock.patch.object(apart, "news", side_effect=FacecodecError("no memory")):
            assert somebody.speaker() is last  # and the call goes on
    assert last.stage == "fitted" and last.person.identity != speaker.person.identity
    assert last.settings.person_bytes == 256 and last.quantiser is not None
    assert len({picture.shape for picture in apart.pictures}) == 1


def test_while_the_first_person_is_fitted_few_pictures_are_looked_at(people, model):
    guide = LandmarkGuide(np.zeros((136, CONTROLS)), face(0.5, 0.5, 1 / 256))
    waits = 8 * WATCHED
    frame = np.zeros((100, 120, 3), np.uint8)
    with seen_at_once():
        apart = Asked(*[None] * waits, described(people[0], "quick"))
        somebody = Newcomer(apart, model, guide, LiveSettings(), keep_up=True)
        somebody.meet(lambda _: Taken(frame, Fraction(0), 0.0, []), threading.Event())
        assert somebody._one.call_count == FIRST_PICTURES + waits // WATCHED


def test_the_process_rehearses_with_a_drawn_face(model):
    asked: list[Any] = []

    def fitted(pictures: Any, _: Any, likeness: Any, relax: Any, plans: Any) -> Any:
        asked.append((pictures(), plans[0].inversion))
        raise NoFaceError("none")  # as of a generator whose mean face dlib does not see
        yield

    with mock.patch.object(enrolling, "enrolled", fitted):
        enrolling.rehearse(model, None)
    [(pictures, plan)] = asked
    assert [picture.shape for picture in pictures] == [(1024, 1024, 3)]
    usual = enrolling.QUICK.inversion
    assert plan.w_steps + plan.w_plus_steps + plan.full_steps == 3 < usual.w_steps
    assert plan.coarse_size == usual.coarse_size


def test_pictures_that_end_too_soon_are_an_error(model):
    guide = LandmarkGuide(np.zeros((136, CONTROLS)), face(0.5, 0.5, 1 / 256))
    with seen_at_once():
        somebody = Newcomer(Asked(), model, guide, LiveSettings(), keep_up=True)
        with pytest.raises(FacecodecError, match="ended before it was known"):
            somebody.meet(lambda _: None, threading.Event())
        stop = threading.Event()
        stop.set()
        assert somebody.meet(lambda _: None, stop) is None


def test_what_needs_a_person_is_refused_at_once(tmp_path):
    with pytest.raises(UsageError, match="one person from its beginning"):
        send("talk.mp4", str(tmp_path / "x.fcv"))
    with pytest.raises(UsageError, match="nobody to refer to"):
        send("talk.mp4", "udp://127.0.0.1:9", refer=True)


def test_messages_go_through_a_pipe_and_no_others():
    pipe = io.BytesIO()
    sent = {"a": np.arange(6.0).reshape(2, 3)[:, ::2], "b": as_array(b"xyz")}
    write_message(pipe, sent)
    data = pipe.getvalue()
    got = read_message(io.BytesIO(data))
    assert got is not None and all((got[name] == sent[name]).all() for name in sent)
    for cut in (0, 3, len(data) - 1):
        assert read_message(io.BytesIO(data[:cut])) is None
    with pytest.raises(ValueError, match="bytes"):
        read_message(io.BytesIO((MAX_BYTES + 1).to_bytes(4, "little")))


ANSWERS = """
import sys
import numpy as np
from facecodec.live.messages import as_array, read_message, write_message
write_message(sys.stdout.buffer, {"ready": np.ones(1)})
while (got := read_message(sys.stdin.buffer)) is not None:
    if "picture" in got:
        write_message(sys.stdout.buffer, {"mean": np.array([got["picture"].mean()])})
    else:
        write_message(sys.stdout.buffer, {"error": as_array(b"no face")})
"""


def test_the_process_is_asked_answers_and_ends(monkeypatch):
    root = str(Path(__file__).parents[2])
    code = f"import sys; sys.path.insert(0, {root!r})" + ANSWERS
    monkeypatch.setattr(enrolment_apart, "module_command", lambda *_: [sys.executable, "-c", code])
    apart = EnrolmentApart("a", "", "cpu")
    apart.wait_until_ready()
    assert apart.news() is None
    apart.offer(np.full((4, 4, 3), 7, np.uint8))
    known = apart.news(30)
    assert known is not None and known["mean"] == 7
    apart.begin()
    with pytest.raises(FacecodecError, match="no face"):
        apart.news(30)
    assert not apart.ended
    apart.end()
    assert apart.news(30) is None and apart.ended
    monkeypatch.setattr(enrolment_apart, "module_command", lambda *_: [sys.executable, "-c", ""])
    with pytest.raises(FacecodecError, match="has ended"):
        EnrolmentApart("a", "", "cpu").wait_until_ready()


@pytest.mark.slow
def test_a_person_is_fitted_first_quickly_then_better(people, model, finder):
    row = np.zeros((3, CONTROLS), np.float32)
    row[:, 0] = (0, 0.4, -0.4)
    pictures = list(people[0].render(row, 512))
    relaxed: list[int] = []
    with mock.patch.object(enrolling, "LIVE_TRACKING", QUICKLY):
        known = list(
            enrolling.enrolled(
                lambda: pictures, model, None, lambda: relaxed.append(1),
                (replace(TINY, keyframes=1), TINY),
            )
        )  # fmt: skip
    stages = [one["stage"].tobytes().decode() for one in known]
    assert stages == ["quick", "quick", "fitted", "tuned"] and relaxed == [1]
    assert ["learnt.derivative" in one for one in known] == [False, True, True, True]
    assert LIVE_TRACKING.size == QUICKLY.size
    guide = LandmarkGuide(np.zeros((136, CONTROLS)), face(0.5, 0.5, 1 / 256))
    with seen_at_once():
        somebody = Newcomer(Asked(*known), model, guide, LiveSettings(), keep_up=False)
        taken = Taken(pictures[0], Fraction(0), 0.0, [])
        somebody.meet(lambda _: taken, threading.Event())
        for one in known[1:]:
            speaker = somebody.speaker()
            assert speaker.stage == one["stage"].tobytes().decode()
            assert isinstance(speaker.tracker._tracker, FastTracker)
    assert speaker.person.tuning is not None and speaker.avatar.tuning.kind == "small"
