"""Faults that were written without knowledge of the doctor's rules, and after these were frozen.

Each is declared as in `fault`, with the kind "unseen". This file stays as it was published. Their score stands apart.
"""
