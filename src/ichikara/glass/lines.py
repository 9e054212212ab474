"""Where in the user's code something happens."""

import sys
import sysconfig
from pathlib import Path

__all__ = ["LIBRARIES", "users_line"]

LIBRARIES = (
    "<frozen",
    str(Path(__file__).parents[1]),
    *{sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")},
)
"""How the names of files begin that are not the user's."""


def users_line() -> str:
    """The file and line that runs, such as "train.py:12": the innermost that is of no library. Empty if there is none.

    >>> users_line()
    '<doctest ichikara.glass.lines.users_line[0]>:1'
    """
    frame = sys._getframe(1)
    while frame.f_code.co_filename.startswith(LIBRARIES):
        if frame.f_back is None:
            return ""
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
