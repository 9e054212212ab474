"""Floor 5: the wing that makes the engine fast. It is attached to the seam from outside; nothing below imports it."""
