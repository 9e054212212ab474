"""Faster updates of optimisers: flat parameter groups, and parameters changed in place."""
