"""Who may talk to the server of the course: this machine's user, from this machine's pages.

An answer to an exercise is code that runs here. So every request is checked for three things:

- *Host*: the name of this machine to itself. A foreign name that leads here (DNS rebinding) is refused.
- *Origin*, where a request has one: the page's own address. A socket or a form of a foreign page is refused.
- *The token*: a random word in a file that only its owner can read. The address that `ichikara learn` opens has it, and
  the server answers with a cookie that holds it and that a browser sends with requests of its own pages alone.

Source: the same three guard Jupyter Server.
"""

import hmac
import os
import secrets
from collections.abc import Awaitable, Callable
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

__all__ = ["Access", "token_in"]

COOKIE = "ichikara-learn"
MOST = 256 * 1024
"""The most bytes of a request's body."""

_NAMES = ("127.0.0.1", "localhost", "::1")
_AGAIN = "again"  # marks the request of a page that has loaded itself again
_OPEN = "<!doctype html><meta charset=utf-8><title>ichikara</title><link rel=icon href=data:,>"

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self' ws://{host}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def token_in(path: Path) -> str:
    """The token of a file, which is made if it is not there. Only its owner can read it.

    Raises OSError where it cannot be read or written.
    """
    try:
        token = path.read_text(encoding="ascii").strip()
        if len(token) >= 32:
            return token
        path.unlink()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    token = secrets.token_urlsafe(32)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:  # another server has made it in this moment
        return token_in(path)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(token)
    return token


class Access:
    """Passes on to an application what is allowed, and answers the rest itself."""

    def __init__(self, app: Any, token: str, page: Callable[[str], str] | None = None):
        """Arguments: ``page``, the text of the page for somebody without the token, by the reason."""
        self.app, self.token, self.page = app, token, page or (lambda reason: f"{_OPEN}<p>{reason}</p>")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")
        if _name(host) not in _NAMES:
            return await self._refuse(scope, send, 421, "this server answers to 127.0.0.1 and localhost only")
        origin = headers.get("origin")
        writes = scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD")
        if (origin is None and writes) or (origin is not None and origin != f"http://{host}"):
            return await self._refuse(scope, send, 403, "the request comes from another page than this server's")
        if not self._knows(headers.get("cookie", "")):
            return await self._without_cookie(scope, send, host, writes)
        if writes and scope["type"] == "http":
            receive = _bounded(receive, int(headers.get("content-length") or 0))
        here, query = _place(scope)
        if _AGAIN in query:  # the page has loaded itself again, and now has the cookie
            del query[_AGAIN]
            return await _answer(send, 303, "", host, {"location": here + (f"?{urlencode(query)}" if query else "")})
        await self.app(scope, receive, _with_headers(send, host))

    def _knows(self, cookies: str) -> bool:
        try:
            morsel = SimpleCookie(cookies).get(COOKIE)
        except CookieError:
            return False
        return morsel is not None and hmac.compare_digest(morsel.value.encode(), self.token.encode())

    async def _without_cookie(self, scope, send, host, writes):
        where, query = _place(scope)
        given, again = query.pop("token", ""), query.pop(_AGAIN, None)
        here = where + (f"?{urlencode(query)}" if query else "")
        if writes:
            return await self._refuse(scope, send, 403, "the request has no token")
        if given and hmac.compare_digest(given.encode(), self.token.encode()):
            cookie = f"{COOKIE}={self.token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000"
            return await _answer(send, 303, "", host, {"location": here, "set-cookie": cookie})
        if given or again is not None:
            return await self._refuse(scope, send, 403, "the address lacks the token, or has another one")
        # A link from a mail or from slides comes without the cookie. The same request from a page of ours has it.
        query[_AGAIN] = "1"
        refresh = f'{_OPEN}<meta http-equiv="refresh" content="0;url={where}?{urlencode(query)}">'.replace("&", "&amp;")
        await _answer(send, 200, refresh, host, {})

    async def _refuse(self, scope, send, status, reason):
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": reason})
        else:
            await _answer(send, status, self.page(reason), "127.0.0.1", {})


def _place(scope: Any) -> tuple[str, dict[str, str]]:
    """The path and the query of a request."""
    path = "/" + quote(scope["path"]).lstrip("/")  # two strokes at the start would name another machine
    return path, dict(parse_qsl(scope["query_string"].decode("latin-1")))


def _name(host: str) -> str:
    """The name in a Host header, without the port. A tunnel may lead here from any port."""
    try:
        return urlsplit(f"http://{host}").hostname or ""
    except ValueError:
        return ""


async def _answer(send: Any, status: int, text: str, host: str, headers: dict[str, str]) -> None:
    headers = {"content-type": "text/html; charset=utf-8", "cache-control": "no-store", **headers}
    send = _with_headers(send, host)
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": text.encode()})


def _with_headers(send: Callable[[Any], Awaitable[None]], host: str) -> Callable[[Any], Awaitable[None]]:
    """A `send` that adds the headers of every answer."""

    async def sent(message):
        if message["type"] == "http.response.start":
            added = [(name.encode(), value.replace("{host}", host).encode()) for name, value in HEADERS.items()]
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return sent


def _bounded(receive: Callable[[], Awaitable[Any]], announced: int) -> Callable[[], Awaitable[Any]]:
    """A `receive` that ends a body which is too long, as if its sender had gone away."""
    total = announced if announced > MOST else 0

    async def received():
        nonlocal total
        if total > MOST:
            return {"type": "http.disconnect"}
        message = await receive()
        total += len(message.get("body", b""))
        return message if total <= MOST else {"type": "http.disconnect"}

    return received
