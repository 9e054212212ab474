"""Register tiles: blocks of vectors that stay in the processor's registers while many products are accumulated.

A processor computes with a *vector* of numbers at once. The compiler vectorises a loop over elements. In sums of
products it does not see that each number, once loaded, should be used several times. So these sums are written in
*tiles* of some rows, each of one vector or two. Each vector that is loaded is used in every row, and each number of a
row in every vector.

The compiler knows the size of a tile from the lengths of tuples: a tile with ``rows = TILE_ROWS`` and ``columns = TWO``
has as many vectors as there are registers for, besides those that are loaded.

Nothing here checks bounds: the caller has to leave room for whole vectors, and arrays are contiguous.
"""

from .elementary import llvm_maximum
from .lazy import intrinsic, lazy_import
from .vectors import VECTOR_BYTES, lanes

__all__ = [
    "ONE",
    "TILE_ROWS",
    "TWO",
    "accumulate",
    "fma",
    "fma_gather",
    "lanes_of",
    "load",
    "mask_positive",
    "prefetch",
    "relu",
    "store",
    "tile_maximum",
    "transpose_block",
    "two_sided_product",
]

TILE_ROWS = tuple(range(8 if VECTOR_BYTES == 64 else 6))
"""The rows of a tile that is two vectors wide: there are 32 registers for vectors of 64 bytes, and 16 for others.

More rows would fit, but eight divide the sizes of most batches and layers, and twelve or fourteen took as long.
"""

ONE, TWO = (0,), (0, 1)

_FASTMATH = ("contract", "nsz")

cgutils, ir, types = lazy_import("numba.core.cgutils"), lazy_import("llvmlite.ir"), lazy_import("numba.types")
tile_type = lazy_import(f"{__package__}.tile_type")


@intrinsic
def lanes_of(typing, array):
    """How many elements of an array's type a vector has, which the compiler knows."""

    def build(context, builder, signature, arguments):
        return context.get_constant(types.intp, lanes(array.dtype))

    return types.intp(array), build


@intrinsic
def load(typing, rows, columns, out, i, stride):
    """The tile in an array: its row r begins at ``out[i + r stride]``."""
    tile = tile_type.Tile(out.dtype, rows.count, columns.count)

    def build(context, builder, signature, arguments):
        operands = _Operands(context, builder, signature, arguments)
        value = ir.Constant(context.get_value_type(tile), ir.Undefined)
        for r, c in tile.positions:
            value = builder.insert_value(value, operands.load_vector(2, operands.row(3, 4, r), c * tile.lanes), (r, c))
        return value

    return tile(rows, columns, out, types.intp, types.intp), build


@intrinsic
def prefetch(typing, rows, columns, out, i, stride):
    """Prefetch the cache lines to which `store` will write a tile, while its sums are still being computed."""

    def build(context, builder, signature, arguments):
        operands = _Operands(context, builder, signature, arguments)
        address = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [address, *[ir.IntType(32)] * 3])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        width = lanes(out.dtype)
        for r in range(rows.count):
            for c in range(columns.count):
                pointer = builder.bitcast(operands.pointer(2, operands.row(3, 4, r), c * width), address)
                builder.call(function, [pointer, ir.IntType(32)(1), ir.IntType(32)(3), ir.IntType(32)(1)])
        return context.get_dummy_value()

    return types.void(rows, columns, out, types.intp, types.intp), build


@intrinsic
def store(typing, tile, out, i, stride):
    """Store a tile where `load` reads it."""

    def build(context, builder, signature, arguments):
        operands = _Operands(context, builder, signature, arguments)
        for r, c in tile.positions:
            operands.store_vector(builder.extract_value(arguments[0], (r, c)), 1, operands.row(2, 3, r), c * tile.lanes)
        return context.get_dummy_value()

    return types.void(tile, out, types.intp, types.intp), build


@intrinsic
def accumulate(typing, tile, out, i, stride):
    """Add a tile to the array where `load` reads it."""

    def build(context, builder, signature, arguments):
        operands = _Operands(context, builder, signature, arguments)
        for r, c in tile.positions:
            row, offset = operands.row(2, 3, r), c * tile.lanes
            updated = builder.fadd(
                operands.load_vector(1, row, offset), builder.extract_value(arguments[0], (r, c)), flags=_FASTMATH
            )
            operands.store_vector(updated, 1, row, offset)
        return context.get_dummy_value()

    return types.void(tile, out, types.intp, types.intp), build


@intrinsic
def fma_gather(typing, tile, x, rows, i, columns, k, v, j):
    """The tile with ``x[rows[i + r] + columns[k]]`` times the vectors from ``v[j]`` on added to its row r."""

    def build(context, builder, signature, arguments):
        operands = _Operands(context, builder, signature, arguments)
        column = builder.load(operands.pointer(4, arguments[5]))
        vectors = [operands.load_vector(6, arguments[7], c * tile.lanes) for c in range(tile.columns)]
        rows = [builder.load(operands.pointer(2, arguments[3], r)) for r in range(tile.rows)]
        pointers = [builder.gep(operands.pointer(1, row), [column]) for row in rows]
        return _fma_rows(builder, tile, arguments[0], pointers, vectors)

    return tile(tile, x, rows, types.intp, columns, types.intp, v, types.intp), build


@intrinsic
def fma(typing, tile, x, i, stride, v, j):
    """The tile with ``x[i + r stride]`` times the vectors from ``v[j]`` on added to its row r."""

    def build(context, builder, signature, arguments):
        operands = _Operands(context, builder, signature, arguments)
        vectors = [operands.load_vector(4, arguments[5], c * tile.lanes) for c in range(tile.columns)]
        pointers = [operands.pointer(1, operands.row(2, 3, r)) for r in range(tile.rows)]
        return _fma_rows(builder, tile, arguments[0], pointers, vectors)

    return tile(tile, x, types.intp, types.intp, v, types.intp), build


@intrinsic
def relu(typing, tile):
    """The ReLU of a tile; nan stays nan."""

    def build(context, builder, signature, arguments):
        return _select(builder, tile, arguments[0], arguments[0], builder.fcmp_unordered)

    return tile(tile), build


@intrinsic
def mask_positive(typing, tile, condition):
    """The tile with 0 where another one is not greater than 0."""

    def build(context, builder, signature, arguments):
        return _select(builder, tile, arguments[0], arguments[1], builder.fcmp_ordered)

    return tile(tile, condition), build


@intrinsic
def tile_maximum(typing, tile, other):
    """The elementwise maximum of two tiles; nan if one of the numbers is."""

    def build(context, builder, signature, arguments):
        value, kind = arguments[0], f"v{tile.lanes}f{tile.element.bitwidth}"
        for position in tile.positions:
            vectors = [builder.extract_value(argument, position) for argument in arguments]
            value = builder.insert_value(value, llvm_maximum(builder, kind, *vectors), position)
        return value

    return tile(tile, tile), build


def _select(builder, tile, value, condition, compare):
    """A tile with 0 where a comparison of another one with 0 fails."""
    for position in tile.positions:
        vector = builder.extract_value(value, position)
        zero = ir.Constant(vector.type, None)
        selected = builder.select(compare(">", builder.extract_value(condition, position), zero), vector, zero)
        value = builder.insert_value(value, selected, position)
    return value


@intrinsic
def transpose_block(typing, x, i, stride, out, j, out_stride):
    """Transpose a block of as many rows as a vector has lanes: ``out[j + c out_stride + r] = x[i + r stride + c]``."""
    size = lanes(x.dtype)

    def build(context, builder, signature, arguments):
        operands = _Operands(context, builder, signature, arguments)
        rows = [operands.load_vector(0, operands.row(1, 2, r)) for r in range(size)]
        distance = size // 2
        while distance:  # exchange halves of each two rows at this distance, then quarters of nearer rows, and so on
            for r in range(size):
                if not r & distance:
                    rows[r], rows[r + distance] = _exchange_halves(builder, rows[r], rows[r + distance], distance)
            distance //= 2
        for r, row in enumerate(rows):
            operands.store_vector(row, 3, operands.row(4, 5, r))
        return context.get_dummy_value()

    return types.void(x, types.intp, types.intp, out, types.intp, types.intp), build


def _fma_rows(builder, tile, value, pointers, vectors):
    """A tile with the vectors, times the number at each row's pointer, added to that row."""
    for r, pointer in enumerate(pointers):
        element = _broadcast(builder, builder.load(pointer), tile.lanes)
        for c, vector in enumerate(vectors):
            product = builder.fmul(element, vector, flags=_FASTMATH)
            total = builder.fadd(builder.extract_value(value, (r, c)), product, flags=_FASTMATH)
            value = builder.insert_value(value, total, (r, c))
    return value


def two_sided_product(matrices):
    r"""An intrinsic that multiplies a small matrix of vectors by constant matrices from both sides, M d Nᵀ.

    .. math:: \text{out}[j + k\,\text{row\_stride} + l\,\text{column\_stride}] =
        \sum_{a, b} M_{k a}\,N_{l b}\,x[i + \text{offsets}[a m + b]]

    It is computed for all elements of a vector at once. Factors of 0 and 1 in M and N cost nothing, since the compiler
    knows them. The lengths of tuples choose the matrices: ``family``, for both, and ``height`` and ``width``. The
    matrices of a family have different lengths; m is the width of the longest.
    """

    @intrinsic
    def multiply(typing, family, height, width, x, offsets, i, out, j, row_stride, column_stride):
        left, right = matrices[family.count, height.count], matrices[family.count, width.count]
        longest = max(len(matrix[0]) for (length, _), matrix in matrices.items() if length == family.count)

        def build(context, builder, signature, arguments):
            operands = _Operands(context, builder, signature, arguments)

            def read(a, b):
                pointer = builder.load(operands.pointer(4, ir.Constant(arguments[5].type, a * longest + b)))
                return operands.load_vector(3, builder.add(pointer, arguments[5]))

            rows, columns_of_x = range(len(left[0])), range(len(right[0]))
            columns = [_linear_combinations(builder, left, [read(a, b) for a in rows]) for b in columns_of_x]
            for k in range(len(left)):
                row = operands.row(7, 8, k)
                for l, vector in enumerate(_linear_combinations(builder, right, [columns[b][k] for b in columns_of_x])):
                    operands.store_vector(vector, 6, builder.add(row, builder.mul(arguments[9], arguments[9].type(l))))
            return context.get_dummy_value()

        return types.void(family, height, width, x, offsets, types.intp, out, types.intp, types.intp, types.intp), build

    return multiply


def _linear_combinations(builder, matrix, vectors):
    """The product of a constant matrix and a column of vectors."""
    results = []
    for row in matrix:
        total = None
        for factor, vector in zip(row, vectors, strict=True):
            if factor:
                size = ir.Constant(vector.type, [abs(factor)] * vector.type.count)
                part = vector if abs(factor) == 1 else builder.fmul(vector, size, flags=_FASTMATH)
                if total is None:
                    total = part if factor > 0 else builder.fneg(part)
                else:
                    total = (builder.fadd if factor > 0 else builder.fsub)(total, part, flags=_FASTMATH)
        results.append(total)
    return results


# --- LLVM's instructions ----------------------------------------------------------------------------------------------


class _Operands:
    """The arrays among an intrinsic's arguments; arrays and indices are given by the position of the argument."""

    def __init__(self, context, builder, signature, arguments):
        self.builder, self.arguments = builder, arguments
        self.data = {
            n: context.make_array(kind)(context, builder, value).data
            for n, (kind, value) in enumerate(zip(signature.args, arguments, strict=True))
            if isinstance(kind, types.Array)
        }

    def row(self, i, stride, r):
        """The index at which a row begins."""
        return self.builder.add(
            self.arguments[i], self.builder.mul(self.arguments[stride], self.arguments[stride].type(r))
        )

    def pointer(self, array, i, offset=0):
        return self.builder.gep(self.data[array], [self.builder.add(i, i.type(offset))])

    def load_vector(self, array, i, offset=0):
        pointer = self._vector_pointer(array, i, offset)
        return self.builder.load(pointer, align=_element_bits(pointer.type.pointee.element) // 8)

    def store_vector(self, value, array, i, offset=0):
        pointer = self._vector_pointer(array, i, offset)
        self.builder.store(value, pointer, align=_element_bits(value.type.element) // 8)

    def _vector_pointer(self, array, i, offset):
        pointer = self.pointer(array, i, offset)
        element = pointer.type.pointee
        return self.builder.bitcast(
            pointer, ir.VectorType(element, VECTOR_BYTES * 8 // _element_bits(element)).as_pointer()
        )


def _element_bits(element):
    return 64 if element == ir.DoubleType() else 32


def _broadcast(builder, element, lanes):
    """A vector with the same number in each lane."""
    vector = ir.VectorType(element.type, lanes)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), element, ir.IntType(32)(0))
    return builder.shuffle_vector(
        first, ir.Constant(vector, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), lanes), None)
    )


def _exchange_halves(builder, a, b, distance):
    """Two vectors after the lanes of ``a`` with the bit ``distance`` and those of ``b`` without it are exchanged."""
    lanes = a.type.count
    staying = [n if not n & distance else lanes + (n ^ distance) for n in range(lanes)]
    moving = [n ^ distance if not n & distance else lanes + n for n in range(lanes)]
    return (
        builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), lanes), mask))
        for mask in (staying, moving)
    )
