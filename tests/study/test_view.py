"""The view: this machine only, token or nothing, and sliders that move the face."""

import contextlib
import json
import socket
import threading
import time
from fractions import Fraction
from http.client import HTTPConnection
from types import SimpleNamespace

import numpy as np
import pytest

import facecodec
from facecodec.editing.edits import Keys
from facecodec.editing.motion import StreamMotion
from facecodec.errors import UsageError
from facecodec.study.newcomer import Newcomers, Report
from facecodec.study.server import HOST, MAX_BODY_BYTES, MAX_CONNECTIONS, ViewServer
from facecodec.study.view import Studio
from facecodec.video.still import encode_png
from tests.helpers.commands import run


@pytest.fixture(scope="module")
def server(stream):
    with ViewServer(Studio(stream, size=256, people=(stream,))) as made:
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        yield made
        made.shutdown()


def ask(server, method, path, body=None, **headers):
    connection = HTTPConnection(HOST, server.server_port, timeout=60)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer, content


def render(server, controls, person="talk", **headers):
    body = json.dumps({"controls": controls, "person": person})
    return ask(server, "POST", "/render", body, **{"X-Token": server.token, **headers})


def test_only_this_machine_is_listened_to(server):
    assert server.server_address[0] == "127.0.0.1"
    assert server.url.startswith(f"http://127.0.0.1:{server.server_port}/?token=")
    assert len(server.token) >= 32


@pytest.mark.parametrize("path", ["/", "/?token=", "/?token=wrong", "/render"])
def test_no_page_without_the_token(server, path):
    answer, content = ask(server, "GET", path)
    assert answer.status == 403 and b"DATA" not in content


def test_no_rendering_without_the_token(server):
    for token in ("", "wrong", server.token[:-1]):
        answer, _ = render(server, [0.0] * 35, **{"X-Token": token})
        assert answer.status == 403


def test_another_host_name_is_refused(server):
    answer, _ = ask(server, "GET", f"/?token={server.token}", Host="evil.example")
    assert answer.status == 403


def test_the_page_may_fetch_from_itself_only(server):
    answer, content = ask(server, "GET", f"/?token={server.token}")
    assert answer.status == 200
    assert b"default-src 'none'" in content and b"connect-src 'self'" in content
    assert answer.getheader("Referrer-Policy") == "no-referrer"


def test_controls_become_a_picture(server):
    answer, still = render(server, [0.0] * 35)
    assert answer.status == 200 and still[:2] == b"\xff\xd8"
    assert float(answer.getheader("X-Render-Ms")) > 0
    _, turned = render(server, [3.0] + [0.0] * 34)
    assert turned != still
    assert render(server, [0.0] * 35)[1] == still


@pytest.mark.parametrize(
    "controls", [[0.0] * 34, [], [float("nan")] * 35, "no", [[0.0] * 35], [None] * 35]
)
def test_what_are_no_controls(server, controls):
    assert render(server, controls)[0].status == 400


def test_strange_requests(server):
    def post(body, path="/render", **headers):
        return ask(server, "POST", path, body, **{"X-Token": server.token, **headers})[0].status

    assert post("[]") == 400
    assert post("{") == 400
    assert post("") == 400
    assert post("{}", "/nowhere") == 404
    assert post("x", **{"Content-Length": str(MAX_BODY_BYTES + 1)}) == 400
    assert render(server, [0.0] * 35, "nobody")[0].status == 400


def test_answers_do_not_wait_for_their_heads_to_be_acknowledged(server):
    connection = HTTPConnection(HOST, server.server_port, timeout=60)
    body, begin = json.dumps({}), time.monotonic()
    for _ in range(20):
        connection.request("POST", "/nowhere", body, {"X-Token": server.token})
        assert connection.getresponse().read() == b"not found"
    assert time.monotonic() - begin < 0.4  # with Nagle's algorithm each takes 40 ms
    connection.close()


def test_a_random_person_is_another_person(server):
    body = json.dumps({"seed": 3})
    answer, content = ask(server, "POST", "/random", body, **{"X-Token": server.token})
    assert json.loads(content) == {"name": "random 3"}
    assert render(server, [0.0] * 35, "random 3")[1] != render(server, [0.0] * 35)[1]


def post(server, path, **request):
    return ask(server, "POST", path, json.dumps(request), **{"X-Token": server.token})


def test_the_stream_is_saved_with_what_is_held(server, stream, tmp_path):
    held = {"0": [[0, 1.5]], "4": [[3, -1]]}
    answer, content = post(server, "/stream", keys=held, person="talk")
    assert answer.status == 200
    (tmp_path / "edited.fcv").write_bytes(content)
    before, after = facecodec.open(stream), facecodec.open(tmp_path / "edited.fcv")
    step = before.reader.header.control_steps
    assert np.allclose(after.controls[:, [0, 4]], [1.5, -1], atol=step.max())
    rest = [i for i in range(35) if i not in (0, 4)]
    np.testing.assert_array_equal(after.controls[:, rest], before.controls[:, rest])
    assert after.reader.header.metadata["provenance"].startswith("edited")
    assert after.reader.header.metadata["edit 01"] == "set head turns right to 1.5"
    assert post(server, "/stream", keys={}, person="talk")[1] == stream.read_bytes()


def test_keys_fade_from_the_streams_own_motion_and_back(server, stream, tmp_path):
    keys = {"4": [[1, None], [3, 2.0], [5, None]]}
    (tmp_path / "edited.fcv").write_bytes(post(server, "/stream", keys=keys, person="talk")[1])
    before, after = facecodec.open(stream), facecodec.open(tmp_path / "edited.fcv")
    own = before.controls[:, 4]
    wanted = [own[0], own[1], (own[2] + 2) / 2, 2, (own[4] + 2) / 2, own[5]]
    step = before.reader.header.control_steps.max()
    assert np.allclose(after.controls[:, 4], wanted, atol=step)
    assert after.reader.header.metadata["edit 01"].startswith("3 keys of")


def test_another_person_makes_a_puppet(server, stream, tmp_path):
    name = server.studio.random_person(5)
    answer, content = post(server, "/stream", keys={"0": [[0, 1.0]]}, person=name)
    assert answer.status == 200
    (tmp_path / "puppet.fcv").write_bytes(content)
    made = facecodec.open(tmp_path / "puppet.fcv")
    assert made.reader.header.metadata["provenance"].startswith("synthetic")
    latent = server.studio._people[name].latent
    assert np.abs(made.avatar.latent - latent).max() < 0.05
    assert b"synthetic" in post(server, "/picture", controls=[0.0] * 35, person=name)[1]


@pytest.mark.parametrize(
    "keys",
    [
        {"35": [[0, 1]]}, {"-1": [[0, 1]]}, {"x": [[0, 1]]}, {"0": [[0, "y"]]}, {"0": [[0, 1e999]]},
        {"0": []}, {"0": [[3, 1], [2, 1]]}, {"0": [[-1, 1], [2, 1]]}, {"0": [[0]]}, {"0": 1}, [],
        None, 3,
    ],
)  # fmt: skip
def test_what_are_no_keys(server, keys):
    assert post(server, "/stream", keys=keys, person="talk")[0].status == 400


def test_a_picture_becomes_a_person(server, stream, monkeypatch):
    """The search is another process; here it is a thread that knows the person beforehand."""

    def found(search, to):
        assert search.picture.read_bytes() == b"a picture"
        to.send(Report("inverting", 3, 10))
        asked.wait(10)
        facecodec.Avatar.from_stream(stream).save(search.person)
        to.send(Report(person=search.person))

    def fitting():
        return json.loads(post(server, "/fitting")[1])

    asked = threading.Event()
    monkeypatch.setattr(Newcomers, "run", threading.Thread)
    monkeypatch.setattr(Newcomers, "work", staticmethod(found))
    assert "no picture" in fitting()["error"]
    send = {"X-Token": server.token}
    assert ask(server, "POST", "/person", b"a picture", **send)[0].status == 200
    assert fitting()["name"] is None
    assert ask(server, "POST", "/person", b"another", **send)[0].status == 400
    asked.set()
    end = time.monotonic() + 10
    while not (told := fitting())["name"]:
        assert told["stage"] == "inverting" and time.monotonic() < end
        time.sleep(0.02)
    assert told["name"] == "picture 1" and told["error"] is None
    assert render(server, [0.0] * 35, "picture 1")[0].status == 200
    assert ask(server, "POST", "/person", b"x")[0].status == 403


def test_a_search_that_fails_or_dies_says_so(tmp_path, monkeypatch):
    def refused(search, to):
        to.send(Report(error="no face is seen"))

    def died(search, to):
        to.close()

    for work, why in ((refused, "no face"), (died, "ended before")):
        monkeypatch.setattr(Newcomers, "run", threading.Thread)
        monkeypatch.setattr(Newcomers, "work", staticmethod(work))
        search = Newcomers(tmp_path, "model", None, "cpu")
        search.begin(b"picture")
        end = time.monotonic() + 10
        while not search.report().ended:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert why in search.report().error
    with pytest.raises(UsageError, match="up to 32 MB"):
        search.begin(b"")


@pytest.mark.slow
def test_a_real_picture_is_looked_at_by_a_process_of_its_own(stream, tmp_path):
    picture = facecodec.open(stream).render(0, 512)
    studio = Studio(stream, size=256)
    try:
        studio.begin_newcomer(encode_png(picture))
        end = time.monotonic() + 400
        while not studio.newcomer()[0].ended:
            assert time.monotonic() < end
            time.sleep(0.2)
        report, name = studio.newcomer()
        assert report.error is None and name == "picture 1"
        studio.render([0.0] * 35, name)
        studio.begin_newcomer(b"no picture")
        while not studio.newcomer()[0].ended:
            time.sleep(0.1)
        assert studio.newcomer()[0].error
    finally:
        studio.close()


def test_a_picture_is_saved_in_full_size(server):
    answer, content = post(server, "/picture", controls=[0.0] * 35, person="talk")
    assert answer.status == 200 and content[:4] == b"\x89PNG"
    assert (
        content[16:24] == (1024).to_bytes(4, "big") * 2 and b"rendered by a face codec" in content
    )
    assert post(server, "/picture", controls=[0.0], person="talk")[0].status == 400
    assert ask(server, "POST", "/picture", "{}")[0].status == 403


def test_people_are_files_of_people(stream, tmp_path):
    picture = tmp_path / "face.png"
    picture.write_bytes(b"")
    with pytest.raises(UsageError, match="a .fci or .fcv"):
        Studio(stream, size=256, people=(picture,))


def test_a_taken_port_is_one_line(server):
    with pytest.raises(UsageError, match="cannot be used"):
        ViewServer(server.studio, server.server_port)


def test_the_page_in_a_browser(server, page, until, tmp_path):
    page.goto(server.url)
    page.wait_for_selector("body[data-shown]")
    assert page.locator(".slider").count() == 35
    before = page.get_attribute("#face", "src")
    page.locator("#c0").fill("4")
    until("+document.body.dataset.shown >= 2")
    assert page.get_attribute("#face", "src") != before
    assert page.locator(".slider.held").count() == 1
    assert int(page.inner_text("#latency")) > 0
    page.locator("#seek").fill("4")
    until("+document.body.dataset.shown >= 3")
    assert page.inner_text("#clock").startswith("5 / 6")
    page.click("#random")
    until("document.getElementById('person').value.startsWith('random')")
    until("+document.body.dataset.shown >= 4")
    page.click("#reset")
    until("document.querySelectorAll('.slider.held').length === 35")
    page.click("#undo")
    until("document.querySelectorAll('.slider.held').length === 1")
    for button, ending in (("#save-picture", ".png"), ("#save-stream", ".edited.fcv")):
        with page.expect_download() as saved:
            page.click(button)
        assert saved.value.suggested_filename.endswith(ending)
    shown = page.input_value("#c0")
    page.keyboard.down("c")
    until(f"document.getElementById('c0').value !== '{shown}'")
    page.keyboard.up("c")
    until(f"document.getElementById('c0').value === '{shown}'")
    page.click("#release")
    until("document.querySelectorAll('.slider.held').length === 0")
    page.keyboard.press("Control+z")
    until("document.querySelectorAll('.slider.held').length === 1")
    page.click("#release")
    page.click("#mode")
    page.locator("#seek").fill("2")
    page.locator("#c4").fill("3")
    until("document.querySelectorAll('.key').length === 3")
    assert page.locator(".key.own").count() == 2
    page.locator("#seek").focus()
    page.keyboard.press("]")
    until("document.getElementById('clock').textContent.startsWith('6 / 6')")
    page.keyboard.press("[")
    until("document.getElementById('clock').textContent.startsWith('3 / 6')")
    page.keyboard.press("Delete")
    until("document.querySelectorAll('.key').length === 0")
    page.keyboard.press("Control+z")
    until("document.querySelectorAll('.key').length === 3")
    page.click("#play")
    until("+document.body.dataset.shown >= 6")
    page.screenshot(path=tmp_path / "view.png")
    assert page.troubles == []
    assert all(url.startswith((f"http://{HOST}", "blob:")) for url in page.asked)


def test_on_a_narrow_screen_the_picture_stays_in_sight(server, page, until):
    page.set_viewport_size({"width": 420, "height": 800})
    page.goto(server.url)
    page.wait_for_selector("body[data-shown]")
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    page.locator("#c34").scroll_into_view_if_needed()
    box = page.locator("#face").bounding_box()
    assert box["y"] >= 0 and box["y"] + box["height"] <= 800
    assert page.troubles == []


def test_the_page_eases_as_the_stream_does(server, page, until):
    """The page's keys are those of the saved stream."""
    page.goto(server.url)
    page.wait_for_selector("body[data-shown]")
    keys = [[1, None], [3, 2.0], [5, -1.0]]
    drawn = page.evaluate(
        "(list) => { keys.set(4, list); return DATA.times.map((_, f) => valueAt(4, f)); }", keys
    )
    motion = StreamMotion(
        np.arange(6), Fraction(1, 25), np.zeros(6, np.uint8), server.studio.controls
    )
    name, rig = server.studio.names[4], server.studio._own.rig
    wanted = Keys(name, tuple((at, value) for at, value in keys)).applied(motion, rig)[:, 4]
    np.testing.assert_allclose(drawn, wanted, atol=1e-3)


def test_numbers_and_depths_that_no_page_sends(server, capfd):
    def post(body, path="/render"):
        return ask(server, "POST", path, body, **{"X-Token": server.token})[0].status

    assert post('{"controls": [1e999], "person": "talk"}') == 400
    assert post('{"controls": [%s], "person": "talk"}' % ("9" * 4000)) == 400
    assert post('{"seed": 1e999}', "/random") == 400
    assert post("[" * 60_000) == 400
    assert post('{"controls": ' + "[" * 60_000, "/random") == 400
    assert "Traceback" not in capfd.readouterr().err


def test_connections_that_ask_nothing_are_not_piled_up(server):
    before = threading.active_count()
    opened = []
    try:
        for _ in range(60):
            opened.append(socket.create_connection((HOST, server.server_port)))
            time.sleep(0.01)  # the system queues five that wait, and has the sixth wait a second
        time.sleep(0.1)
        assert threading.active_count() - before <= MAX_CONNECTIONS
    finally:
        for connection in opened:
            connection.close()
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            answer, _ = ask(server, "GET", "/")
            break
        except OSError:  # they are closed one by one
            time.sleep(0.05)
    assert answer.status == 403


def test_the_token_is_no_argument_of_a_process(server, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url))
    monkeypatch.setattr(
        "facecodec.study.server.ViewServer", lambda *_: contextlib.nullcontext(Finished(server))
    )
    studio = SimpleNamespace(close=lambda: None)
    monkeypatch.setattr("facecodec.study.view.Studio", lambda *_, **__: studio)
    text = run("view", tmp_path / "talk.fcv")
    assert text.strip() == server.url
    assert server.token not in opened[0] and opened[0].startswith("file:///")
    path, mode, folder_mode, content = Finished.seen
    assert opened[0] == path.as_uri()
    assert (mode & 0o777, folder_mode & 0o777) == (0o600, 0o700)
    assert f"url={server.url}" in content
    assert not path.exists()


class Finished:
    """A server whose user has closed it, and what its redirect file was."""

    seen: tuple = ()

    def __init__(self, server):
        self.server, self.url = server, server.url

    def redirect_file(self, folder):
        self.path = self.server.redirect_file(folder)
        return self.path

    def serve_forever(self):
        path = self.path
        Finished.seen = (path, path.stat().st_mode, path.parent.stat().st_mode, path.read_text())
        raise KeyboardInterrupt
