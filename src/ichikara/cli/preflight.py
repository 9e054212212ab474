"""`ichikara train --preflight`: what is found out about a recipe before it is trained."""

from typing import Any

import typer

from ..words import language_of, say
from .output import bold, err, out, print_json

__all__ = ["show_preflight"]

_STYLES = {"passed": "green", "warning": "yellow", "failed": "bold red", "skipped": "dim"}


def show_preflight(parts: Any, as_json: bool) -> None:
    """Check the parts of a recipe, print what was found, and exit 2 if the training would fail."""
    from ..train import preflight

    found = preflight(parts.trainer, parts.loader, parts.recipe.training.epochs)
    language, said = language_of(), err if as_json else out
    for check in found.checks:
        state = say(f"preflight.state.{check.state}", language)
        said.print(bold(state, _STYLES[check.state]), bold(f"{check.title(language)}:"), check.text(language))
    said.print(found.conclusion(language))
    if as_json:
        print_json(found.to_dict())
    if not found.passed:
        raise typer.Exit(2)
