"""The errors that are addressed to a person: what was given, what was expected, what to do."""

__all__ = ["UnknownAttribute", "UserError", "VaultOpenedError", "choose", "did_you_mean"]


class UserError(ValueError):
    """Something that the user gave cannot be used; the message says what to do. The command line exits 2."""

    exit_code = 2


class VaultOpenedError(UserError):
    """A test set was to be opened a second time without being asked for by name. The command line exits 3."""

    exit_code = 3


def did_you_mean(name, choices):
    """The end of a sentence about an unknown name: the nearest of those that are known, or a full stop.

    >>> did_you_mean("rl", ["lr", "momentum"])
    "; did you mean 'lr'?"
    """
    from difflib import get_close_matches  # only a mistake needs it

    name, choices = str(name), [str(choice) for choice in choices]
    # Two letters exchanged in a short name are far apart for difflib, and near for a person.
    near = get_close_matches(name, choices, n=1) or [c for c in choices if sorted(c) == sorted(name)]
    return f"; did you mean '{near[0]}'?" if near else "."


class UnknownAttribute:
    """The message that an object has no such attribute; the nearest is looked for when somebody reads it.

    That takes milliseconds, and hasattr() and getattr() with a default want no message.
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
    if name in choices:
        return choices[name]
    raise UserError(f"unknown {kind} '{name}'{did_you_mean(name, choices)} Allowed: {', '.join(choices)}")
