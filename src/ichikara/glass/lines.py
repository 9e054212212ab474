"""Where in the user's code something happens."""

import sys
import sysconfig
from pathlib import Path
from types import FrameType

__all__ = ["users_frame", "users_line"]

_LIBRARIES = (
    "<frozen",
    str(Path(__file__).parents[1]),
    *{sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")},
)
"""How the names of files begin that are not the user's."""


def users_frame() -> FrameType | None:
    """The innermost frame that is of no library; None if there is none."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_LIBRARIES):
        frame = frame.f_back
    return frame


def users_line() -> str:
    """The file and line that runs, such as "train.py:12": the innermost that is of no library. Empty if there is none.

    >>> users_line()
    '<doctest ichikara.glass.lines.users_line[0]>:1'
    """
    frame = users_frame()
    return "" if frame is None else f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
