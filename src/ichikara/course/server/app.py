"""The application: pages, and one socket on which figures follow their controls."""

import asyncio
import json
import math
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...words import LANGUAGES, in_language, language_of
from .. import computed
from ..lessons import READY, exercise_of, lesson_of
from ..page import live, plain
from ..programs import judge
from .access import Access
from .views import home, lesson_page, recall_page, refused

__all__ = ["application"]

STATIC = Path(__file__).parents[1] / "static"

SESSIONS = 40
"""The most sockets that are open at a time."""

WORKERS = 4
"""The most computations that run at a time. Others wait."""

LONGEST = 64 * 1024
"""The most characters of a message and of a program."""


class Session:
    """One page's socket. The latest values win: what was asked before, and is not computed yet, is left out.

    A message has ``ask``: "figures", "handle", "action", "claim", "predict", "experiment", "stop" or "exercise"; and
    ``id``, which the answer has too.
    """

    def __init__(self, socket: Any, slug: str, language: str, work: asyncio.Semaphore):
        self.socket, self.lesson, self.language, self.work = socket, lesson_of(slug), language, work
        self.experiment: asyncio.Task | None = None
        self.stopped = False
        self.waiting: dict[str, Any] = {}  # the newest message of each kind that later ones replace
        self.arrived = asyncio.Event()

    async def run(self) -> None:
        """Answer until the page is closed."""
        answering = asyncio.create_task(self._answer_latest())
        try:
            while True:
                text = await self.socket.receive_text()
                if len(text) > LONGEST:
                    raise UserError(f"a message has at most {LONGEST} characters")
                await self._take(json.loads(text))
        finally:
            answering.cancel()
            self._stop()

    async def _take(self, message: Any) -> None:
        if not isinstance(message, dict) or not isinstance(message.get("ask"), str):
            raise UserError("a message is an object with 'ask'")
        ask = message["ask"]
        if ask in ("figures", "handle", "action"):
            self.waiting["latest"] = message
            self.arrived.set()
        elif ask == "stop":
            self._stop()
        elif ask == "experiment":
            self._stop()
            self.stopped = False
            self.experiment = asyncio.create_task(self._experiment(message))
        elif ask in ("claim", "predict", "exercise"):
            if ask in self.waiting:
                return  # one at a time
            self.waiting[ask] = message
            asyncio.create_task(self._once(ask, message))  # noqa: RUF006 - it ends by itself, and answers
        else:
            raise UserError(f"there is no {ask!r:.60} to ask for")

    def _stop(self) -> None:
        self.stopped = True

    async def _answer_latest(self) -> None:
        while True:
            await self.arrived.wait()
            self.arrived.clear()
            message = self.waiting.pop("latest", None)
            if message is not None:
                await self._reply(message, self._figures)

    async def _once(self, ask: str, message: Any) -> None:
        try:
            await self._reply(message, {"claim": self._claim, "predict": self._predict, "exercise": self._exercise}[ask])
        finally:
            self.waiting.pop(ask, None)

    async def _reply(self, message: Any, compute: Any) -> None:
        try:
            async with self.work:
                answer = await asyncio.to_thread(self._spoken, compute, message)
        except (UserError, KeyError, TypeError, ValueError, ArithmeticError) as error:
            answer = {"error": str(error) if isinstance(error, UserError) else "this cannot be computed"}
        await self._send(message, answer)

    async def _send(self, message: Any, answer: dict[str, Any]) -> None:
        await self.socket.send_text(json.dumps({"id": message.get("id"), "ask": message["ask"], **answer}, default=plain))

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
        found = exercise.check(given)
        wrong, values = found if isinstance(found, tuple) else (found, {})
        return {"name": exercise.name, "kind": "right" if wrong is None else "wrong", "wrong": wrong, "values": values}

    # --- experiments --------------------------------------------------------------------------------------------------

    async def _experiment(self, message: Any) -> None:
        try:
            values = self.lesson.values(message.get("values", {}))
            steps = computed.experiment(self.lesson, message["name"], values)
            while not self.stopped:
                async with self.work:
                    step = await asyncio.to_thread(self._spoken, next, steps, None)
                if step is None:
                    break
                await self._send(message, step)
            await self._send(message, {"name": message["name"], "ended": True})
        except (UserError, KeyError) as error:
            await self._send(message, {"error": str(error)})


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
    work = asyncio.Semaphore(WORKERS)

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
        except (UserError, ValueError) as error:
            with suppress(RuntimeError, WebSocketDisconnect):
                await websocket.close(1008, str(error)[:120])
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
    return Access(Starlette(routes=routes), token, refused)
