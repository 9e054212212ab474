r"""Tiles of vectors: what stays in the processor's registers while many products are added up.

A processor computes with a *vector* of numbers at once. The compiler finds the vectors of a loop over elements; in
sums of products it does not find that each number, once loaded, should be used several times. So these sums are
written in *tiles*: some rows of one vector or two. Each vector that is loaded is used in every row, and each number of
a row in every vector.

How many rows and columns there are the compiler knows from the length of a tuple: a tile with ``rows = ROWS`` and
``columns = TWO`` has so many vectors as there is room for beside those that are loaded.

Nothing here looks where an array ends: the caller has to leave room for whole vectors, and arrays are without gaps.
"""

from .deferred import intrinsic, later
from .elementary import maximum
from .kept import processor

__all__ = [
    "BYTES",
    "ONE",
    "ROWS",
    "TWO",
    "above",
    "above_where",
    "add_product",
    "add_products",
    "add_to",
    "fetch",
    "lanes",
    "lanes_of",
    "larger_of",
    "load",
    "sandwich",
    "store",
    "turn",
]

BYTES = 64 if "+avx512f" in processor()[1].split(",") else 32
"""The size of a vector: 16 or 8 numbers of float32, half as many of float64."""

ROWS = tuple(range(8 if BYTES == 64 else 6))
"""The rows of a tile of two vectors: with vectors of 64 bytes there is room for 32 of them, with others for 16.

More rows would fit, but eight divide the sizes of most batches and layers, and twelve or fourteen took as long.
"""

ONE, TWO = (0,), (0, 1)

_FAST = ("contract", "nsz")

cgutils, ir, types = later("numba.core.cgutils"), later("llvmlite.ir"), later("numba.types")
tile_type = later(f"{__package__}.tile_type")


@intrinsic
def lanes_of(typing, array):
    """How many numbers of an array's type a vector has, which the compiler knows."""

    def build(context, builder, signature, arguments):
        return context.get_constant(types.intp, lanes(array.dtype))

    return types.intp(array), build


@intrinsic
def load(typing, rows, columns, out, i, step):
    """The tile that lies in an array: its row r from ``out[i + r step]`` on."""
    tile = tile_type.Tile(out.dtype, rows.count, columns.count)

    def build(context, builder, signature, arguments):
        at = _Reader(context, builder, signature, arguments)
        value = ir.Constant(context.get_value_type(tile), ir.Undefined)
        for r, c in tile.places:
            value = builder.insert_value(value, at.vector(2, at.row(3, 4, r), c * tile.lanes), (r, c))
        return value

    return tile(rows, columns, out, types.intp, types.intp), build


@intrinsic
def fetch(typing, rows, columns, out, i, step):
    """Fetch into the cache where `store` will put a tile, while its sums are still being taken."""

    def build(context, builder, signature, arguments):
        at = _Reader(context, builder, signature, arguments)
        address = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [address, *[ir.IntType(32)] * 3])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        width = lanes(out.dtype)
        for r in range(rows.count):
            for c in range(columns.count):
                place = builder.bitcast(at.place(2, at.row(3, 4, r), c * width), address)
                builder.call(function, [place, ir.IntType(32)(1), ir.IntType(32)(3), ir.IntType(32)(1)])
        return context.get_dummy_value()

    return types.void(rows, columns, out, types.intp, types.intp), build


@intrinsic
def store(typing, tile, out, i, step):
    """Put a tile where `load` finds it."""

    def build(context, builder, signature, arguments):
        at = _Reader(context, builder, signature, arguments)
        for r, c in tile.places:
            at.put_vector(builder.extract_value(arguments[0], (r, c)), 1, at.row(2, 3, r), c * tile.lanes)
        return context.get_dummy_value()

    return types.void(tile, out, types.intp, types.intp), build


@intrinsic
def add_to(typing, tile, out, i, step):
    """Add a tile to what lies where `load` finds it."""

    def build(context, builder, signature, arguments):
        at = _Reader(context, builder, signature, arguments)
        for r, c in tile.places:
            row, offset = at.row(2, 3, r), c * tile.lanes
            after = builder.fadd(at.vector(1, row, offset), builder.extract_value(arguments[0], (r, c)), flags=_FAST)
            at.put_vector(after, 1, row, offset)
        return context.get_dummy_value()

    return types.void(tile, out, types.intp, types.intp), build


@intrinsic
def add_products(typing, tile, x, rows, i, columns, k, v, j):
    """The tile, and to its row r added ``x[rows[i + r] + columns[k]]`` times the vectors from ``v[j]`` on."""

    def build(context, builder, signature, arguments):
        at = _Reader(context, builder, signature, arguments)
        column = builder.load(at.place(4, arguments[5]))
        vectors = [at.vector(6, arguments[7], c * tile.lanes) for c in range(tile.columns)]
        rows = [builder.load(at.place(2, arguments[3], r)) for r in range(tile.rows)]
        numbers = [builder.gep(at.place(1, row), [column]) for row in rows]
        return _added_products(builder, tile, arguments[0], numbers, vectors)

    return tile(tile, x, rows, types.intp, columns, types.intp, v, types.intp), build


@intrinsic
def add_product(typing, tile, x, i, step, v, j):
    """The tile, and to its row r added ``x[i + r step]`` times the vectors from ``v[j]`` on."""

    def build(context, builder, signature, arguments):
        at = _Reader(context, builder, signature, arguments)
        vectors = [at.vector(4, arguments[5], c * tile.lanes) for c in range(tile.columns)]
        numbers = [at.place(1, at.row(2, 3, r)) for r in range(tile.rows)]
        return _added_products(builder, tile, arguments[0], numbers, vectors)

    return tile(tile, x, types.intp, types.intp, v, types.intp), build


@intrinsic
def above(typing, tile):
    """The tile with 0 for what is not above 0; nan stays."""

    def build(context, builder, signature, arguments):
        return _chosen(builder, tile, arguments[0], arguments[0], builder.fcmp_unordered)

    return tile(tile), build


@intrinsic
def above_where(typing, tile, by):
    """The tile with 0 where another one is not above 0."""

    def build(context, builder, signature, arguments):
        return _chosen(builder, tile, arguments[0], arguments[1], builder.fcmp_ordered)

    return tile(tile, by), build


@intrinsic
def larger_of(typing, tile, other):
    """The larger of the numbers of two tiles, place by place; nan if one of them is."""

    def build(context, builder, signature, arguments):
        value, kind = arguments[0], f"v{tile.lanes}f{tile.number.bitwidth}"
        for place in tile.places:
            vectors = [builder.extract_value(argument, place) for argument in arguments]
            value = builder.insert_value(value, maximum(builder, kind, *vectors), place)
        return value

    return tile(tile, tile), build


def _chosen(builder, tile, value, by, compare):
    """A tile with 0 where another one is not above 0, as a comparison of vectors says."""
    for place in tile.places:
        vector = builder.extract_value(value, place)
        nothing = ir.Constant(vector.type, None)
        chosen = builder.select(compare(">", builder.extract_value(by, place), nothing), vector, nothing)
        value = builder.insert_value(value, chosen, place)
    return value


@intrinsic
def turn(typing, x, i, step, out, j, out_step):
    """Turn a square of as many rows as a vector has numbers: ``out[j + c out_step + r]`` is ``x[i + r step + c]``."""
    size = lanes(x.dtype)

    def build(context, builder, signature, arguments):
        at = _Reader(context, builder, signature, arguments)
        rows = [at.vector(0, at.row(1, 2, r)) for r in range(size)]
        apart = size // 2
        while apart:  # of each two rows so far apart, halves change places; then quarters of nearer ones, and so on
            for r in range(size):
                if not r & apart:
                    rows[r], rows[r + apart] = _exchanged(builder, rows[r], rows[r + apart], apart)
            apart //= 2
        for r, row in enumerate(rows):
            at.put_vector(row, 3, at.row(4, 5, r))
        return context.get_dummy_value()

    return types.void(x, types.intp, types.intp, out, types.intp, types.intp), build


def _added_products(builder, tile, value, numbers, vectors):
    """A tile, and to each of its rows added the vectors times the number that lies at the row's place."""
    for r, place in enumerate(numbers):
        number = _along(builder, builder.load(place), tile.lanes)
        for c, vector in enumerate(vectors):
            product = builder.fmul(number, vector, flags=_FAST)
            total = builder.fadd(builder.extract_value(value, (r, c)), product, flags=_FAST)
            value = builder.insert_value(value, total, (r, c))
    return value


def sandwich(matrices):
    r"""An intrinsic that multiplies a small matrix of vectors from both sides by constant ones, M d Nᵀ.

    .. math:: \text{out}[j + k\,\text{down} + l\,\text{across}] =
        \sum_{a, b} M_{k a}\,N_{l b}\,x[i + \text{places}[a m + b]]

    All of this is done for a vector of numbers side by side. What M and N have of 0 and 1 costs nothing, for the
    compiler knows it. Which of the matrices they are tell the lengths of tuples: of ``which``, for both, and of
    ``high`` and ``wide``. Of the same ``which`` there are longer and shorter ones; m is the width of the longest.
    """

    @intrinsic
    def multiply(typing, which, high, wide, x, places, i, out, j, down, across):
        left, right = matrices[which.count, high.count], matrices[which.count, wide.count]
        longest = max(len(matrix[0]) for (length, _), matrix in matrices.items() if length == which.count)

        def build(context, builder, signature, arguments):
            at = _Reader(context, builder, signature, arguments)

            def read(a, b):
                place = builder.load(at.place(4, ir.Constant(arguments[5].type, a * longest + b)))
                return at.vector(3, builder.add(place, arguments[5]))

            rows, inner = range(len(left[0])), range(len(right[0]))
            columns = [_combined(builder, left, [read(a, b) for a in rows]) for b in inner]
            for k in range(len(left)):
                row = at.row(7, 8, k)
                for l, vector in enumerate(_combined(builder, right, [columns[b][k] for b in inner])):
                    at.put_vector(vector, 6, builder.add(row, builder.mul(arguments[9], arguments[9].type(l))))
            return context.get_dummy_value()

        return types.void(which, high, wide, x, places, types.intp, out, types.intp, types.intp, types.intp), build

    return multiply


def _combined(builder, matrix, vectors):
    """The product of a constant matrix and a column of vectors."""
    found = []
    for row in matrix:
        total = None
        for factor, vector in zip(row, vectors, strict=True):
            if factor:
                size = ir.Constant(vector.type, [abs(factor)] * vector.type.count)
                part = vector if abs(factor) == 1 else builder.fmul(vector, size, flags=_FAST)
                if total is None:
                    total = part if factor > 0 else builder.fneg(part)
                else:
                    total = (builder.fadd if factor > 0 else builder.fsub)(total, part, flags=_FAST)
        found.append(total)
    return found


# --- instructions of LLVM, the compiler below Numba -------------------------------------------------------------------


def lanes(number):
    """How many numbers of the compiler's type ``number`` a vector has."""
    return BYTES * 8 // number.bitwidth


class _Reader:
    """Where numbers of the arrays among an intrinsic's arguments lie; arrays and indices are named by position."""

    def __init__(self, context, builder, signature, arguments):
        self.builder, self.arguments = builder, arguments
        self.data = {
            n: context.make_array(kind)(context, builder, value).data
            for n, (kind, value) in enumerate(zip(signature.args, arguments, strict=True))
            if isinstance(kind, types.Array)
        }

    def row(self, i, step, r):
        """The index at which a row begins."""
        return self.builder.add(self.arguments[i], self.builder.mul(self.arguments[step], self.arguments[step].type(r)))

    def place(self, array, i, offset=0):
        return self.builder.gep(self.data[array], [self.builder.add(i, i.type(offset))])

    def vector(self, array, i, offset=0):
        place = self._of_vector(array, i, offset)
        return self.builder.load(place, align=_bits(place.type.pointee.element) // 8)

    def put_vector(self, value, array, i, offset=0):
        place = self._of_vector(array, i, offset)
        self.builder.store(value, place, align=_bits(value.type.element) // 8)

    def _of_vector(self, array, i, offset):
        place = self.place(array, i, offset)
        number = place.type.pointee
        return self.builder.bitcast(place, ir.VectorType(number, BYTES * 8 // _bits(number)).as_pointer())


def _bits(number):
    return 64 if number == ir.DoubleType() else 32


def _along(builder, number, lanes):
    """A vector with the same number in each place."""
    vector = ir.VectorType(number.type, lanes)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), number, ir.IntType(32)(0))
    return builder.shuffle_vector(
        first, ir.Constant(vector, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), lanes), None)
    )


def _exchanged(builder, a, b, apart):
    """Two vectors after the numbers of ``a`` at places with the bit ``apart`` and those of ``b`` without have moved."""
    lanes = a.type.count
    kept = [n if not n & apart else lanes + (n ^ apart) for n in range(lanes)]
    moved = [n ^ apart if not n & apart else lanes + n for n in range(lanes)]
    return (
        builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), lanes), mask)) for mask in (kept, moved)
    )
