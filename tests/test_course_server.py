"""Who may talk to the course's server, and what it does with what it is sent."""

import asyncio
import dataclasses
import json
import re
import stat
import threading
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from ichikara.course.lessons import lesson_of
from ichikara.course.page import live, plain
from ichikara.course.server import app as course_app
from ichikara.course.server.access import HEADERS, token_in
from ichikara.course.server.app import SESSIONS, application
from ichikara.words import in_language

TOKEN = "t" * 43
BASE = "http://127.0.0.1:8617"
PAGES = ["/", "/en/", "/ja/", "/en/neuron", "/ja/recall", "/static/lesson.js", "/static/none", "/none", "/en/none"]
SOCKET = "ws://127.0.0.1:8617/socket/en/neuron"


@pytest.fixture
def client():
    with TestClient(application(TOKEN), base_url=BASE, follow_redirects=False) as client:
        yield client


@pytest.fixture
def known(client):
    """A client with the cookie."""
    assert client.get(f"/en/?token={TOKEN}").status_code == 303
    return client


def routes():
    """The paths of all routes, with something in their places."""
    found = [route.path for route in application(TOKEN).app.routes]
    return [
        re.sub(r"\{(\w+)[^}]*\}", lambda m: {"language": "en", "slug": "neuron"}.get(m[1], "lesson.js"), p)
        for p in found
    ]


# --- access -----------------------------------------------------------------------------------------------------------


def test_all_routes_are_known_here():
    assert set(routes()) == {"/", "/static/lesson.js", "/en/", "/en/recall", "/en/neuron", "/socket/en/neuron"}


@pytest.mark.parametrize("path", PAGES)
def test_without_the_token_nothing_is_shown(client, path):
    answer = client.get(path)
    assert "Deep learning" not in answer.text
    assert "prediction" not in answer.text
    assert answer.status_code == 200
    assert "refresh" in answer.text
    again = client.get(path + ("&" if "?" in path else "?") + "again=1")
    assert again.status_code == 403


@pytest.mark.parametrize("path", PAGES)
def test_a_wrong_token_is_refused(client, path):
    assert client.get(f"{path}?token={TOKEN[:-1]}x").status_code == 403
    client.cookies.set("ichikara-learn", TOKEN[:-1] + "x")
    assert client.get(f"{path}?again=1").status_code == 403


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.168.0.2", "[::2]", "", "[::1", "a b"])
def test_a_foreign_host_is_refused(known, path, host):
    assert known.get(path, headers={"host": host}).status_code == 421


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:1", "https://127.0.0.1:8617", "null", ""])
def test_a_foreign_origin_is_refused(known, path, origin):
    assert known.get(path, headers={"origin": origin}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://evil.example"},
        {"origin": BASE, "host": "evil.example"},
        {"origin": BASE, "cookie": "ichikara-learn=wrong"},
        {"origin": BASE, "cookie": ""},
    ],
)
def test_a_foreign_socket_is_refused(client, headers):
    with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect(SOCKET, headers=headers):
        pass
    assert refused.value.code == 1008


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_there_is_nothing_to_write_to(known, method):
    for path in routes():
        if not path.startswith("/socket"):
            assert known.request(method, path).status_code == 403
            assert known.request(method, path, headers={"origin": BASE}, content=b"x" * 10).status_code == 405


def test_the_token_opens_and_then_leaves_the_address(client):
    answer = client.get(f"/ja/neuron?token={TOKEN}&w1=2")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/ja/neuron?w1=2"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert client.get("/ja/neuron?w1=2").status_code == 200
    assert client.get("/ja/neuron?w1=2&again=1").headers["location"] == "/ja/neuron?w1=2"


@pytest.mark.parametrize("path", ["//evil.example/", "///evil.example", "/%2F/evil.example", "/\\evil.example"])
def test_no_redirect_leads_away(client, path):
    for query in (f"token={TOKEN}", "x=1"):
        answer = client.get(f"{BASE}{path}?{query}")
        where = answer.headers.get("location") or "".join(re.findall(r"url=([^\"]+)", answer.text))
        assert answer.status_code == 404 or re.match(r"/(?![/\\])", where), where


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_has_the_guards(client, path):
    for answer in (client.get(path), client.get(f"/en/?token={TOKEN}"), client.get(path)):
        for name, value in HEADERS.items():
            assert answer.headers[name] == value.replace("{host}", "127.0.0.1:8617")
        assert "unsafe" not in answer.headers["content-security-policy"]


def test_pages_ask_for_nothing_from_elsewhere(known):
    for path in ("/en/", "/ja/neuron"):
        text = known.get(path).text
        assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", text)
    for path in Path(course_app.STATIC).glob("*.*"):
        assert "https://" not in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize(
    "path", ["../app.py", "..%2fserver/app.py", "%2e%2e/lesson.py", "/etc/passwd", "fonts/../../lesson.py"]
)
def test_files_outside_are_not_served(known, path):
    answer = known.get(f"/static/{path}")
    assert answer.status_code == 404
    assert "import" not in answer.text


def test_the_token_lasts_and_is_its_owners_alone(tmp_path):
    path = tmp_path / "state" / "token"
    token = token_in(path)
    assert len(token) >= 32
    assert token_in(path) == token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text("short")
    assert token_in(path) not in ("short", token)


# --- messages ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def socket(known):
    with known.websocket_connect(SOCKET, headers={"origin": BASE}) as socket:
        yield socket


def ask(socket, **message):
    socket.send_text(json.dumps({"id": 1, **message}))
    return json.loads(socket.receive_text())


def test_figures_follow_their_controls(socket):
    found = ask(socket, ask="figures", values={"w1": -2.0}, changed=["w1"])
    lesson = lesson_of("neuron")
    with in_language("en"):
        wanted = live(lesson, lesson.values({"w1": -2.0}), {"w1"})
    assert found["figures"] == json.loads(json.dumps(wanted["figures"], default=plain))
    assert ask(socket, ask="figures", values={}, changed=[])["figures"] == {}


def test_the_language_is_the_pages(known):
    with known.websocket_connect("ws://127.0.0.1:8617/socket/ja/neuron", headers={"origin": BASE}) as socket:
        found = ask(socket, ask="figures", values={}, changed=["w1"])
    assert "平面" in found["figures"]["plane"]["chart"]["alt"]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"ask": "figures", "values": {"w1": 99}}, "from -3 to 3"),
        ({"ask": "figures", "values": {"w1": "1"}}, "from -3 to 3"),
        ({"ask": "figures", "values": {"w1": True}}, "from -3 to 3"),
        ({"ask": "figures", "values": {"w9": 1}}, "no control 'w9'"),
        ({"ask": "figures", "values": []}, "object"),
        ({"ask": "figures", "values": {}, "changed": "w1"}, "list of names"),
        ({"ask": "figures", "values": {"points": [[0, 0, 0]] * 1000}}, "at most"),
        ({"ask": "figures", "values": {"points": [[0, 0, 7]]}}, "kind"),
        ({"ask": "figures", "values": {"f": "sine"}}, "step, sigmoid"),
        ({"ask": "handle", "name": "none", "values": {}, "x": 0, "y": 0}, "cannot be computed"),
        ({"ask": "handle", "name": "tip", "values": {}, "x": "a", "y": 0}, "numbers"),
        ({"ask": "action", "name": ["x"], "values": {}}, "cannot be computed"),
        ({"ask": "claim", "name": "none"}, "cannot be computed"),
        ({"ask": "claim"}, "cannot be computed"),
        ({"ask": "predict", "name": "none"}, "cannot be computed"),
        ({"ask": "exercise", "name": "none", "answer": ""}, "exercise"),
        ({"ask": "exercise", "name": "predict", "answer": 3}, "program"),
        ({"ask": "exercise", "name": "nand", "answer": {"w9": "1"}}, "cannot be computed"),
        ({"ask": "experiment", "name": "none"}, "cannot be computed"),
    ],
)
def test_what_cannot_be_done_is_answered(socket, message, words):
    assert words in ask(socket, **message)["error"]
    assert "figures" in ask(socket, ask="figures", values={})  # and the page goes on


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", '{"ask": 3}', '{"ask": "none"}', "[" * 9000, "x" * 70000, '{"ask":"figures","values":NaN}'],
)
def test_what_is_no_message_ends_the_socket(known, text):
    with known.websocket_connect(SOCKET, headers={"origin": BASE}) as socket:
        socket.send_text(text)
        if "NaN" in text:
            assert "error" in json.loads(socket.receive_text())
            return
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert closed.value.code == 1008
    assert known.get("/en/").status_code == 200


def test_a_message_of_bytes_ends_the_socket(known):
    with known.websocket_connect(SOCKET, headers={"origin": BASE}) as socket:
        socket.send_bytes(b"\x00")
        with pytest.raises(WebSocketDisconnect):
            socket.receive_text()


def test_an_experiment_streams_and_stops(socket):
    socket.send_text(json.dumps({"id": 7, "ask": "experiment", "name": "bound", "values": {}}))
    first = json.loads(socket.receive_text())
    assert first["id"] == 7
    assert 0 < first["done"] < first["total"]
    socket.send_text(json.dumps({"id": 8, "ask": "stop"}))
    while not (found := json.loads(socket.receive_text())).get("ended"):
        pass
    assert found["id"] == 7
    assert "figures" in ask(socket, ask="figures", values={})


def test_sessions_are_bounded(known):
    sockets = []
    try:
        for _ in range(SESSIONS):
            sockets.append(known.websocket_connect(SOCKET, headers={"origin": BASE}).__enter__())
        with (
            pytest.raises(WebSocketDisconnect) as refused,
            known.websocket_connect(SOCKET, headers={"origin": BASE}),
        ):
            pass
        assert refused.value.code == 1013
    finally:
        for socket in sockets:
            socket.__exit__(None, None, None)
    with known.websocket_connect(SOCKET, headers={"origin": BASE}) as socket:
        assert "figures" in ask(socket, ask="figures", values={})


def test_many_readers_see_what_one_sees(known):
    """Twenty pages move different sliders at once; each gets the figures of its own values."""
    values = [{"w1": round(-3 + 0.3 * i, 2), "f": "sigmoid" if i % 2 else "step"} for i in range(20)]
    found: dict[int, list] = {i: [] for i in range(20)}
    lesson = lesson_of("neuron")

    def read(i):
        with known.websocket_connect(SOCKET, headers={"origin": BASE}) as socket:
            for _ in range(3):
                found[i].append(ask(socket, ask="figures", values=values[i])["figures"])

    readers = [threading.Thread(target=read, args=[i]) for i in range(20)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    with in_language("en"):
        for i, figures in found.items():
            wanted = json.loads(json.dumps(live(lesson, lesson.values(values[i]))["figures"], default=plain))
            assert figures == [wanted] * 3


def test_an_exercise_is_judged(socket):
    found = ask(socket, ask="exercise", name="nand", answer={"w0": "-1.5", "w1": "1", "w2": "1"})
    assert (found["kind"], found["wrong"]) == ("wrong", "and")
    assert ask(socket, ask="exercise", name="nand", answer={"w0": "1.5", "w1": "-1", "w2": "-1"})["kind"] == "right"
    assert ask(socket, ask="exercise", name="doubling", answer=None)["wrong"] == "empty"


def test_a_number_that_is_not_finite_is_null(socket, monkeypatch):
    exercise = lesson_of("neuron").exercises["doubling"]
    check = lambda answer: ("both", {"u": float("nan")})
    monkeypatch.setitem(lesson_of("neuron").exercises, "doubling", dataclasses.replace(exercise, check=check))
    socket.send_text(json.dumps({"id": 1, "ask": "exercise", "name": "doubling", "answer": "both"}))
    text = socket.receive_text()
    assert "NaN" not in text
    assert json.loads(text)["values"] == {"u": None}


def test_a_program_is_judged_by_the_socket(socket):
    right = lesson_of("neuron").exercises["predict"].right
    assert ask(socket, ask="exercise", name="predict", answer=right)["kind"] == "right"


def test_a_closed_page_leaves_no_work(known):
    with known.websocket_connect(SOCKET, headers={"origin": BASE}) as socket:
        socket.send_text(json.dumps({"id": 7, "ask": "experiment", "name": "bound", "values": {}}))
        socket.receive_text()

    async def waiting():
        return [task for task in asyncio.all_tasks() if "_experiment" in repr(task)]

    for _ in range(50):
        if not known.portal.call(waiting):
            return
        known.portal.call(asyncio.sleep, 0.1)
    pytest.fail("the experiment goes on without a page")
