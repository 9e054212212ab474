"""Capture and replay: a step runs once while it is traced, and later its calls of array functions are repeated."""
