"""Numba's type of a register tile (`tile`)."""

from llvmlite import ir
from numba import types
from numba.extending import models, register_model

from .vectors import lanes

__all__ = ["Tile"]


class Tile(types.Type):
    """A register tile: the type of its elements, and how many rows and columns of vectors it has."""

    def __init__(self, element, rows, columns):
        self.element, self.rows, self.columns = element, rows, columns
        self.lanes = lanes(element)
        super().__init__(f"Tile({element}, {rows}, {columns})")

    @property
    def positions(self):
        """The row and column of each vector."""
        return [(r, c) for r in range(self.rows) for c in range(self.columns)]


@register_model(Tile)
class _Model(models.PrimitiveModel):
    def __init__(self, manager, tile):
        vector = ir.VectorType(manager[tile.element].get_value_type(), tile.lanes)
        super().__init__(manager, tile, ir.ArrayType(ir.ArrayType(vector, tile.columns), tile.rows))
