"""Floor 5: a network that explains itself. Charts and text come out; nothing here draws."""

from importlib import import_module

# What is here for users, each with its file, which is imported when the name is first used.
_PLACES = {
    "NonFiniteError": "nonfinite",
    "detect_nonfinite": "nonfinite",
    "explain": "chain_rule",
    "named": "naming",
}

__all__ = ["NonFiniteError", "detect_nonfinite", "explain", "named"]


def __getattr__(name):
    if name in _PLACES:
        return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
