"""The application: pages, and one socket on which figures follow their controls."""

import asyncio
import json
import math
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...strict_json import dumps
from ...words import LANGUAGES, in_language, language_of
from .. import computed
from ..controls import ControlError
from ..lessons import READY, exercise_of, lesson_of
from ..page import live, plain
from ..programs import judge
from .access import Access
from .views import home, lesson_page, recall_page, refused

__all__ = ["application"]

STATIC = Path(__file__).parents[1] / "static"

SESSIONS = 40
"""The most sockets that are open at a time."""

LONGEST = 64 * 1024
"""The most characters of a message and of a program."""


class Work:
    """How much is computed at a time, for all pages together: long work leaves space for short work."""

    def __init__(self) -> None:
        self.short, self.long, self.programs = (asyncio.Semaphore(2) for _ in range(3))


class Session:
    """One page's socket. The latest values win: what was asked before, and is not computed yet, is left out.

    A message has ``ask``: "figures", "handle", "action", "claim", "predict", "experiment", "stop" or "exercise"; and
    ``id``, which the answer has too.
    """

    def __init__(self, socket: Any, slug: str, language: str, work: Work):
        self.socket, self.lesson, self.language, self.work = socket, lesson_of(slug), language, work
        self.tasks: dict[str, asyncio.Task] = {}  # what is computed, by what was asked for
        self.latest: Any = None  # the newest message about figures
        self.arrived = asyncio.Event()

    async def run(self) -> None:
        """Answer until the page is closed."""
        self.tasks["figures"] = asyncio.create_task(self._answer_latest())
        try:
            while True:
                text = await self.socket.receive_text()
                if len(text) > LONGEST:
                    raise UserError(f"a message has at most {LONGEST} characters")
                self._take(json.loads(text))
        finally:
            for task in self.tasks.values():
                task.cancel()

    def _take(self, message: Any) -> None:
        if not isinstance(message, dict) or not isinstance(message.get("ask"), str):
            raise UserError("a message is an object with 'ask'")
        ask = message["ask"]
        if ask in ("figures", "handle", "action"):
            self.latest = message
            self.arrived.set()
        elif ask == "stop":
            if "experiment" in self.tasks:
                self.tasks["experiment"].cancel()
        elif ask in ("claim", "predict", "exercise", "experiment"):
            running = self.tasks.get(ask)
            if running is None or running.done():  # one at a time
                self.tasks[ask] = asyncio.create_task(self._once(ask, message))
        else:
            raise UserError(f"there is no {ask!r:.60} to ask for")

    async def _answer_latest(self) -> None:
        while True:
            await self.arrived.wait()
            self.arrived.clear()
            await self._reply(self.latest, self._figures, self.work.short)

    async def _once(self, ask: str, message: Any) -> None:
        if ask == "experiment":
            await self._experiment(message)
        elif ask == "exercise":
            await self._reply(message, self._exercise, self.work.programs)
        else:
            await self._reply(message, self._claim if ask == "claim" else self._predict, self.work.long)

    async def _reply(self, message: Any, compute: Any, limit: asyncio.Semaphore) -> None:
        try:
            async with limit:
                answer = await asyncio.to_thread(self._spoken, compute, message)
        except BAD as error:
            answer = {"error": _words(error), "control": getattr(error, "control", None)}
        await self._send(message, answer)

    async def _send(self, message: Any, answer: dict[str, Any]) -> None:
        from starlette.websockets import WebSocketDisconnect

        answer = {"id": message.get("id"), "ask": message["ask"], **answer}
        try:
            text = json.dumps(answer, default=plain, allow_nan=False)
        except ValueError:  # a number that is not finite, which no browser reads
            text = dumps(answer, default=plain)
        with suppress(WebSocketDisconnect, RuntimeError):  # the page may have been closed in the meantime
            await self.socket.send_text(text)

    def _spoken(self, compute: Any, *given: Any) -> Any:
        with in_language(self.language):
            return compute(*given)

    # --- what is computed, each in a thread ---------------------------------------------------------------------------

    def _figures(self, message: Any) -> dict[str, Any]:
        before = values = self.lesson.values(message.get("values", {}))
        changed = message.get("changed")
        if changed is not None and not (isinstance(changed, list) and all(isinstance(name, str) for name in changed)):
            raise UserError("what has changed is a list of names of controls")
        name = message.get("name")
        if message["ask"] == "handle":
            x, y, index = (message.get(key, 0) for key in ("x", "y", "index"))
            if not all(isinstance(number, int | float) and math.isfinite(number) for number in (x, y, index)):
                raise UserError("a handle is moved to x and y, which are numbers")
            values = self.lesson.moved(name, values, x=x, y=y, index=index)
        elif message["ask"] == "action":
            values = self.lesson.moved(name, values)
        if changed is not None:
            changed = {*changed, *(name for name in values if values[name] != before[name])}
        return live(self.lesson, values, changed)

    def _claim(self, message: Any) -> dict[str, Any]:
        return computed.claim(self.lesson, message["name"])

    def _predict(self, message: Any) -> dict[str, Any]:
        return computed.prediction(self.lesson, message["name"])

    def _exercise(self, message: Any) -> dict[str, Any]:
        exercise = exercise_of(self.lesson.slug, message["name"])
        given = message.get("answer")
        if exercise.kind == "code":
            if not isinstance(given, str):
                raise UserError("the answer is a program")
            return {"name": exercise.name, **judge(self.lesson.slug, exercise.name, given)}
        wrong, values = computed.verdict(exercise, given)
        return {"name": exercise.name, "kind": "wrong" if wrong else "right", "wrong": wrong, "values": values}

    # --- experiments --------------------------------------------------------------------------------------------------

    async def _experiment(self, message: Any) -> None:
        answer: dict[str, Any] = {"ended": True}
        try:
            values = self.lesson.values(message.get("values", {}))
            steps = computed.experiment(self.lesson, message["name"], values)
            while True:
                async with self.work.long:
                    step = await asyncio.to_thread(self._spoken, next, steps, None)
                if step is None:
                    break
                await self._send(message, step)
        except asyncio.CancelledError:  # stopped, or the page was closed
            pass
        except BAD as error:
            answer["error"] = _words(error)
        await self._send(message, answer)


BAD = (UserError, KeyError, TypeError, ValueError, ArithmeticError, RecursionError)
"""What a message can cause that asks for something wrong."""


def _words(error: Exception) -> str:
    if isinstance(error, ControlError):
        return error.reason
    return str(error) if isinstance(error, UserError) else "this cannot be computed"


@cache
def _static(path: str) -> tuple[bytes, str] | None:
    kinds = {".css": "text/css", ".js": "text/javascript", ".woff2": "font/woff2", ".svg": "image/svg+xml"}
    file = (STATIC / path).resolve()
    if STATIC not in file.parents or not file.is_file() or file.suffix not in kinds:
        return None
    return file.read_bytes(), kinds[file.suffix]


def application(token: str) -> Any:
    """The application, for those who know the token."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, Response
    from starlette.routing import Route, WebSocketRoute
    from starlette.websockets import WebSocket, WebSocketDisconnect

    open_sockets: set[Any] = set()
    work = Work()

    async def page(request: Request) -> Response:
        language = request.path_params["language"]
        if language not in LANGUAGES:
            return HTMLResponse(refused("there is no such page"), 404)
        slug = request.path_params.get("slug")
        if slug is None:
            return HTMLResponse(await asyncio.to_thread(home, language))
        if slug not in READY:
            return HTMLResponse(refused("there is no such lesson"), 404)
        return HTMLResponse(await asyncio.to_thread(partial(lesson_page, slug, language)))

    async def recall(request: Request) -> Response:
        language = request.path_params["language"]
        if language not in LANGUAGES:
            return HTMLResponse(refused("there is no such page"), 404)
        return HTMLResponse(await asyncio.to_thread(recall_page, language))

    async def start(request: Request) -> Response:
        return Response(status_code=307, headers={"location": f"/{language_of()}/"})

    async def static(request: Request) -> Response:
        found = _static(request.path_params["path"])
        if found is None:
            return HTMLResponse(refused("there is no such file"), 404)
        return Response(found[0], media_type=found[1], headers={"cache-control": "max-age=3600"})

    async def socket(websocket: WebSocket) -> None:
        slug, language = websocket.path_params["slug"], websocket.path_params["language"]
        if slug not in READY or language not in LANGUAGES:
            return await websocket.close(1008, "there is no such lesson")
        if len(open_sockets) >= SESSIONS:
            return await websocket.close(1013, "there are as many pages open as there may be")
        await websocket.accept()
        open_sockets.add(websocket)
        try:
            with suppress(WebSocketDisconnect):
                await Session(websocket, slug, language, work).run()
        except BAD as error:
            with suppress(RuntimeError, WebSocketDisconnect):
                await websocket.close(1008, _words(error)[:120])
        finally:
            open_sockets.discard(websocket)

    routes = [
        Route("/", start),
        Route("/static/{path:path}", static),
        Route("/{language}/", page),
        Route("/{language}/recall", recall),
        Route("/{language}/{slug}", page),
        WebSocketRoute("/socket/{language}/{slug}", socket),
    ]
    app = Starlette(routes=routes)
    app.router.redirect_slashes = False
    return Access(app, token, refused)
