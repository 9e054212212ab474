"""Starting the server of the course: its address, its token, the browser."""

import os
import socket
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path

from ...errors import UserError
from .access import token_in

__all__ = ["HOST", "PORT", "address", "serve", "token_file"]

HOST = "127.0.0.1"
PORT = 8617
"""The port, which is fixed: a browser keeps a reader's progress by address and port."""


def token_file() -> Path:
    """Where the token is kept: ``$XDG_STATE_HOME/ichikara``, by default ``~/.local/state/ichikara``."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "ichikara" / "learn-token"


def address(port: int, path: str = "/", query: str = "") -> str:
    """The address that opens the course, with its token."""
    return f"http://{HOST}:{port}{path}?token={token_in(token_file())}{query}"


def serve(port: int, opened: Callable[[], None] | None = None, *, browse: str | None = None) -> None:
    """Serve the course until it is interrupted.

    Arguments: ``opened``, called when the server listens; ``browse``, an address to open in the browser then.

    Raises UserError where the port is taken.
    """
    import uvicorn

    from .app import application

    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise UserError(
            f"port {port} of {HOST} cannot be used ({error.strerror}); another `ichikara learn` may run there. "
            f"Choose another one: --port {port + 1}. Your progress is kept for each port; its file can be taken along"
        ) from None
    listener.listen(64)
    if opened is not None:
        opened()
    if browse is not None:
        threading.Thread(target=webbrowser.open, args=[browse], daemon=True).start()
    config = uvicorn.Config(
        application(token_in(token_file())),
        log_level="warning",
        access_log=False,
        ws="websockets-sansio",
        ws_max_size=256 * 1024,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    with listener:
        uvicorn.Server(config).run([listener])
