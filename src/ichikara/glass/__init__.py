"""Floor 5: a network that explains itself. Charts and text come out; nothing here draws."""

from .nonfinite import NonFiniteError, detect_nonfinite

__all__ = ["NonFiniteError", "detect_nonfinite"]
