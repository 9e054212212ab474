"""The type of a `tile`, for the compiler."""

from llvmlite import ir
from numba import types
from numba.extending import models, register_model

from .tile import lanes

__all__ = ["Tile"]


class Tile(types.Type):
    """A tile: of which numbers it is, and how many rows and columns of vectors it has."""

    def __init__(self, number, rows, columns):
        self.number, self.rows, self.columns = number, rows, columns
        self.lanes = lanes(number)
        super().__init__(f"Tile({number}, {rows}, {columns})")

    @property
    def places(self):
        """The row and column of each vector."""
        return [(r, c) for r in range(self.rows) for c in range(self.columns)]


@register_model(Tile)
class _Model(models.PrimitiveModel):
    def __init__(self, manager, tile):
        vector = ir.VectorType(manager[tile.number].get_value_type(), tile.lanes)
        super().__init__(manager, tile, ir.ArrayType(ir.ArrayType(vector, tile.columns), tile.rows))
