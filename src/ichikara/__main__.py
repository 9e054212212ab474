"""``python -m ichikara``: the same as the `ichikara` command."""

from .cli import main

main()
