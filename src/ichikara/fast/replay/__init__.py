"""A step captured once and replayed."""
