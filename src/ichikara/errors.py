"""Errors for the user: each says what was given, what was expected and what to do."""

from collections.abc import Hashable

__all__ = ["UnknownAttribute", "UserError", "VaultOpenedError", "choose", "did_you_mean", "plural"]


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

    name, choices = str(name), [str(choice) for choice in choices]
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
    raise UserError(f"unknown {kind} '{name}'{did_you_mean(name, choices)} Allowed: {', '.join(choices)}")


def plural(count: int, noun: str) -> str:
    """A number with its noun, in the plural where it has to be.

    >>> plural(1, "batch"), plural(1200, "batch"), plural(0, "example")
    ('1 batch', '1,200 batches', '0 examples')
    """
    ending = "" if count == 1 else "es" if noun.endswith(("s", "x", "ch")) else "s"
    return f"{count:,} {noun}{ending}"
