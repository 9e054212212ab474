"""Makes the kept results of lessons again: ``python -m ichikara.course.make LESSON [NAME ...]``."""

import sys
from collections.abc import Sequence

from ..errors import choose
from .lessons import lesson_of


def main(arguments: Sequence[str]) -> None:
    """Compute the results of a lesson that are named, or all of them, and write their files."""
    results = lesson_of(arguments[0]).results
    for name in arguments[1:] or results:
        choose("result", name, results)
        results[name].make()


if __name__ == "__main__":
    main(sys.argv[1:])
