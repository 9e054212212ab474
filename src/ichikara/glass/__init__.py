"""Floor 5: a network that explains itself. Charts and text come out; nothing here draws."""

from importlib import import_module

# What is here for users, each with its file, which is imported when the name is first used.
_PLACES = {
    "Case": "case",
    "Diagnosis": "finding",
    "Finding": "finding",
    "NonFiniteError": "nonfinite",
    "Record": "record",
    "detect_nonfinite": "nonfinite",
    "diagnose": "doctor",
    "explain": "chain_rule",
    "graph": "graphs",
    "mermaid": "graphs",
    "named": "naming",
    "watch": "watcher",
}

__all__ = [
    "Case",
    "Diagnosis",
    "Finding",
    "NonFiniteError",
    "Record",
    "detect_nonfinite",
    "diagnose",
    "explain",
    "graph",
    "mermaid",
    "named",
    "watch",
]


def __getattr__(name):
    if name in _PLACES:
        return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__():
    return sorted(__all__)
