"""The errors that are addressed to a person: what was given, what was expected, what to do."""

from difflib import get_close_matches

__all__ = ["UserError", "VaultOpenedError", "choose"]


class UserError(ValueError):
    """Something that the user gave cannot be used; the message says what to do. The command line exits 2."""

    exit_code = 2


class VaultOpenedError(UserError):
    """A test set was to be opened a second time without being asked for by name. The command line exits 3."""

    exit_code = 3


def choose(kind, name, choices):
    """Return ``choices[name]``, or raise a `UserError` that lists the choices and the nearest name.

    >>> choose("activation", "relu", {"relu": max, "tanh": min}) is max
    True
    >>> choose("activation", "rleu", {"relu": max, "tanh": min})
    Traceback (most recent call last):
    ichikara.errors.UserError: unknown activation 'rleu'; did you mean 'relu'? Allowed: relu, tanh
    """
    if name in choices:
        return choices[name]
    near = get_close_matches(str(name), list(choices), n=1)
    hint = f"; did you mean '{near[0]}'?" if near else "."
    raise UserError(f"unknown {kind} '{name}'{hint} Allowed: {', '.join(choices)}")
