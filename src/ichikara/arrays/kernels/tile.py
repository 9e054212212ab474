r"""Tiles of vectors: what stays in the processor's registers while many products are added up.

A processor computes with a *vector* of numbers at once. The compiler finds the vectors of a loop over elements; in
sums of products it does not find that each number, once loaded, should be used several times. So these sums are
written in *tiles*: some rows of some vectors side by side, few enough to stay in registers. Each vector that is loaded
is used in every row, and a row's number in every column.

The number of rows and of columns is known to the compiler, because it is the length of a tuple: a tile with
``rows = (0, 1, 2, 3)`` and ``columns = (0, 1, 2)`` has twelve vectors, which AVX2 and AVX-512 can hold.

Nothing here looks where an array ends: the caller has to leave room for whole vectors.
"""

from llvmlite import binding, ir
from numba import types
from numba.extending import intrinsic, models, register_model

__all__ = ["BYTES", "add_inner", "add_outer", "add_sums", "spread", "store", "zeros"]

BYTES = 64 if binding.get_host_cpu_features().get("avx512f") else 32
"""The size of a vector: 16 or 8 numbers of float32, half as many of float64."""

_INT = ir.IntType(32)
_FAST = ("contract", "reassoc", "nsz")


class Tile(types.Type):
    """The type of a tile, for the compiler: of which numbers, and how many rows and columns of vectors."""

    def __init__(self, number, rows, columns):
        self.number, self.rows, self.columns = number, rows, columns
        self.lanes = BYTES * 8 // number.bitwidth
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


@intrinsic
def zeros(typing, rows, columns, like):
    """A tile of zeros, of the numbers of an array."""

    def build(context, builder, signature, arguments):
        return ir.Constant(context.get_value_type(signature.return_type), None)

    return Tile(like.dtype, rows.count, columns.count)(rows, columns, like), build


@intrinsic
def spread(typing, rows, columns, numbers, i):
    """A tile whose row r is ``numbers[i + r]`` all along."""
    result = Tile(numbers.dtype, rows.count, columns.count)

    def build(context, builder, signature, arguments):
        at = _reader(context, builder, signature, arguments)
        tile = ir.Constant(context.get_value_type(result), ir.Undefined)
        along = [_along(builder, at.number(2, arguments[3], r), result.lanes) for r in range(result.rows)]
        for r, c in result.places:
            tile = builder.insert_value(tile, along[r], (r, c))
        return tile

    return result(rows, columns, numbers, types.intp), build


@intrinsic
def add_outer(typing, tile, numbers, i, x, j):
    """The tile, and to its row r added ``numbers[i + r]`` times the vectors from ``x[j]`` on."""

    def build(context, builder, signature, arguments):
        at = _reader(context, builder, signature, arguments)
        rows = [_along(builder, at.number(1, arguments[2], r), tile.lanes) for r in range(tile.rows)]
        columns = [at.vector(3, arguments[4], c * tile.lanes, tile) for c in range(tile.columns)]
        return _add_products(builder, tile, arguments[0], rows, columns)

    return tile(tile, numbers, types.intp, x, types.intp), build


@intrinsic
def add_inner(typing, tile, x, i, step, y, places, k, j):
    """The tile, and to row r and column c added the vector at ``x[i + r step]`` times that at ``y[places[k + c] + j]``."""

    def build(context, builder, signature, arguments):
        at = _reader(context, builder, signature, arguments)
        rows = [
            at.vector(1, builder.add(arguments[2], builder.mul(arguments[3], arguments[3].type(r))), 0, tile)
            for r in range(tile.rows)
        ]
        columns = [
            at.vector(4, builder.add(at.number(5, arguments[6], c), arguments[7]), 0, tile)
            for c in range(tile.columns)
        ]
        return _add_products(builder, tile, arguments[0], rows, columns)

    return tile(tile, x, types.intp, types.intp, y, places, types.intp, types.intp), build


@intrinsic
def store(typing, tile, out, i, step):
    """Put the tile into an array: its row r from ``out[i + r step]`` on."""

    def build(context, builder, signature, arguments):
        at = _reader(context, builder, signature, arguments)
        for r, c in tile.places:
            i = builder.add(arguments[2], builder.mul(arguments[3], arguments[3].type(r)))
            at.put_vector(builder.extract_value(arguments[0], (r, c)), 1, i, c * tile.lanes, tile)
        return context.get_dummy_value()

    return types.void(tile, out, types.intp, types.intp), build


@intrinsic
def add_sums(typing, tile, out, i, step):
    """Add the sum of each vector, in row r and column c, to ``out[i + r step + c]``."""

    def build(context, builder, signature, arguments):
        at = _reader(context, builder, signature, arguments)
        for r, c in tile.places:
            i = builder.add(arguments[2], builder.mul(arguments[3], arguments[3].type(r)))
            place = at.place(1, i, c)
            part = _sum(builder, builder.extract_value(arguments[0], (r, c)), tile.lanes)
            builder.store(builder.fadd(builder.load(place), part, flags=_FAST), place)
        return context.get_dummy_value()

    return types.void(tile, out, types.intp, types.intp), build


# --- instructions of LLVM, the compiler below Numba -------------------------------------------------------------------


class _reader:
    """Where the arrays among the arguments of an intrinsic lie."""

    def __init__(self, context, builder, signature, arguments):
        self.builder = builder
        self.data = {
            n: context.make_array(kind)(context, builder, value).data
            for n, (kind, value) in enumerate(zip(signature.args, arguments, strict=True))
            if isinstance(kind, types.Array)
        }

    def place(self, array, i, offset):
        return self.builder.gep(self.data[array], [self.builder.add(i, i.type(offset))])

    def number(self, array, i, offset):
        return self.builder.load(self.place(array, i, offset))

    def vector(self, array, i, offset, tile):
        return self.builder.load(self._vector(array, i, offset, tile), align=tile.number.bitwidth // 8)

    def put_vector(self, value, array, i, offset, tile):
        self.builder.store(value, self._vector(array, i, offset, tile), align=tile.number.bitwidth // 8)

    def _vector(self, array, i, offset, tile):
        place = self.place(array, i, offset)
        return self.builder.bitcast(place, ir.VectorType(place.type.pointee, tile.lanes).as_pointer())


def _along(builder, number, lanes):
    """A vector with the same number in each place."""
    vector = ir.VectorType(number.type, lanes)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), number, _INT(0))
    return builder.shuffle_vector(
        first, ir.Constant(vector, ir.Undefined), ir.Constant(ir.VectorType(_INT, lanes), None)
    )


def _add_products(builder, tile, value, rows, columns):
    for r, c in tile.places:
        product = builder.fmul(rows[r], columns[c], flags=_FAST)
        value = builder.insert_value(value, builder.fadd(product, builder.extract_value(value, (r, c)), flags=_FAST), (r, c))
    return value


def _sum(builder, vector, lanes):
    """The sum of a vector's numbers: its halves are added until one number is left."""
    while lanes > 1:
        lanes //= 2
        low, high = (ir.Constant(ir.VectorType(_INT, lanes), list(range(n, n + lanes))) for n in (0, lanes))
        nothing = ir.Constant(vector.type, ir.Undefined)
        vector = builder.fadd(
            builder.shuffle_vector(vector, nothing, low), builder.shuffle_vector(vector, nothing, high), flags=_FAST
        )
    return builder.extract_element(vector, _INT(0))
