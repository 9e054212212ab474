"""Errors for the user: each says what was given, what was expected and what to do."""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

__all__ = [
    "UnknownAttribute",
    "UserError",
    "VaultOpenedError",
    "advice",
    "choose",
    "did_you_mean",
    "key",
    "listed",
    "plural",
    "setting",
    "speaking",
]


LONGEST = 200  # characters of a name that are compared with others, or shown


class UserError(ValueError):
    """The user's input cannot be used; the message says what to do. The command line exits 2."""

    exit_code = 2


class VaultOpenedError(UserError):
    """A test set would have been opened a second time, without a request for that. The command line exits 3."""

    exit_code = 3


def did_you_mean(name, choices):
    """The end of a sentence about an unknown name: the nearest of the known names, or a full stop.

    >>> did_you_mean("rl", ["lr", "momentum"])
    "; did you mean 'lr'?"
    """
    from difflib import get_close_matches  # imported only when there is a mistake

    name, choices = str(name)[:LONGEST], [str(choice)[:LONGEST] for choice in choices]
    # For difflib, two exchanged letters in a short name are a large difference.
    near = get_close_matches(name, choices, n=1) or [c for c in choices if sorted(c) == sorted(name)]
    return f"; did you mean '{near[0]}'?" if near else "."


class UnknownAttribute:
    """The message that an object has no such attribute. The nearest name is searched when the message is read.

    The search takes milliseconds, and hasattr() and getattr() with a default need no message.
    """

    def __init__(self, holder, name):
        self.holder, self.name = holder, name

    def __str__(self):
        hint = did_you_mean(self.name, dir(self.holder)).removesuffix(".")
        return f"{type(self.holder).__name__} has no attribute '{self.name}'{hint}"


def choose(kind, name, choices):
    """Return ``choices[name]``, or raise a `UserError` that lists the choices and the nearest name.

    >>> choose("activation", "relu", {"relu": max, "tanh": min}) is max
    True
    >>> choose("activation", "rleu", {"relu": max, "tanh": min})
    Traceback (most recent call last):
    ichikara.errors.UserError: unknown activation 'rleu'; did you mean 'relu'? Allowed: relu, tanh
    """
    if isinstance(name, Hashable) and name in choices:
        return choices[name]
    raise UserError(f"unknown {kind} '{str(name)[:LONGEST]}'{did_you_mean(name, choices)} Allowed: {listed(choices)}")


def listed(names: Iterable[Any], most: int = 30) -> str:
    """The names with commas between them; of a long list the first ones, and how many more there are.

    >>> listed("abcde", most=3)
    'a, b, c and 2 more'
    """
    names = [name if len(name) <= LONGEST else f"{name[:LONGEST]}…" for name in map(str, names)]
    more = len(names) - most
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:most])} and {more:,} more"


_KEYS: ContextVar[Mapping[str, str] | None] = ContextVar("ichikara_keys", default=None)


@contextmanager
def speaking(keys: Mapping[str, str]) -> Iterator[None]:
    """Within the block, messages call an argument what the reader calls it: a recipe's user sets keys.

    Arguments: ``keys``, for each argument that the reader can set, what it is called there; the others are not named
    to the reader.
    """
    token = _KEYS.set(keys)
    try:
        yield
    finally:
        _KEYS.reset(token)


def key(argument: str) -> str:
    """What the reader calls an argument: its own name in Python, a key such as 'data.task' in a recipe."""
    return (_KEYS.get() or {}).get(argument, argument)


def setting(argument: str, value: Any) -> str:
    """How the reader gives an argument a value: as Python writes it, or as a recipe does; empty if he cannot.

    >>> setting("header", True)
    'header=True'
    >>> with speaking({"header": "data.header"}):
    ...     setting("header", True), setting("duplicates", True)
    ('data.header = true', '')
    """
    keys = _KEYS.get()
    if keys is None:
        return f"{argument}={'…' if value is ... else repr(value)}"
    if argument not in keys:
        return ""
    import json  # as late as here, since every program imports this file

    return f"{keys[argument]} = {json.dumps(value, ensure_ascii=False)}"  # which is how TOML writes it


def advice(*ways: str, **arguments: Any) -> str:
    """The ways out of a problem, joined by "or"; those by an argument that the reader cannot set are left out.

    >>> advice("add examples", "drop the class", stratify=False)
    'add examples, drop the class, or use stratify=False'
    >>> with speaking({}):
    ...     advice("add examples", "drop the class", stratify=False)
    'add examples, or drop the class'
    """
    found = [*ways, *(f"use {said}" for name, value in arguments.items() if (said := setting(name, value)))]
    return ", or ".join([", ".join(found[:-1]), found[-1]] if len(found) > 1 else found)


def plural(count: int, noun: str) -> str:
    """A number with its noun, in the plural where it has to be.

    >>> plural(1, "batch"), plural(1200, "batch"), plural(0, "example")
    ('1 batch', '1,200 batches', '0 examples')
    """
    ending = "" if count == 1 else "es" if noun.endswith(("s", "x", "tch")) else "s"
    return f"{count:,} {noun}{ending}"
