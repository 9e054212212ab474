"""Comparisons, tests, truth and bits, elementwise: what has no gradient."""

from ..arrays import namespace
from ..autodiff import op


def _predicate(formula, name, symbol, function, doc):
    """A comparison or a test: an operation without a gradient."""
    parameters = function.__code__.co_varnames[: function.__code__.co_argcount]
    function.__name__ = function.__qualname__ = name
    shapes = "(*), (*) -> (*), broadcast together" if len(parameters) == 2 else "(*) -> (*)"
    function.__doc__ = f"{doc} Shapes: {shapes}."
    made = op(formula, binds=symbol, broadcasts=len(parameters) == 2, promotes=False)(function)
    return made.gradient(**dict.fromkeys(parameters))


equal = _predicate("y = [a = b]", "equal", "==", lambda a, b, /: a == b, "Whether they are equal, elementwise.")
not_equal = _predicate(r"y = [a \ne b]", "not_equal", "!=", lambda a, b, /: a != b, "Whether they differ, elementwise.")
less = _predicate("y = [a < b]", "less", "<", lambda a, b, /: a < b, "Whether a is smaller, elementwise.")
less_equal = _predicate(
    r"y = [a \le b]", "less_equal", "<=", lambda a, b, /: a <= b, "Whether a is smaller or equal, elementwise."
)
greater = _predicate("y = [a > b]", "greater", ">", lambda a, b, /: a > b, "Whether a is larger, elementwise.")
greater_equal = _predicate(
    r"y = [a \ge b]", "greater_equal", ">=", lambda a, b, /: a >= b, "Whether a is larger or equal, elementwise."
)
logical_and = _predicate(
    r"y = a \wedge b",
    "logical_and",
    (),
    lambda a, b, /: namespace(a, b).logical_and(a, b),
    "Whether both hold, elementwise.",
)
logical_or = _predicate(
    r"y = a \vee b",
    "logical_or",
    (),
    lambda a, b, /: namespace(a, b).logical_or(a, b),
    "Whether one holds, elementwise.",
)
logical_xor = _predicate(
    r"y = a \oplus b",
    "logical_xor",
    (),
    lambda a, b, /: namespace(a, b).logical_xor(a, b),
    "Whether exactly one holds, elementwise.",
)
logical_not = _predicate(
    r"y = \neg x",
    "logical_not",
    (),
    lambda x, /: namespace(x).logical_not(x),
    "Whether it does not hold, elementwise.",
)
isnan = _predicate(
    r"y = [x \ne x]", "isnan", "isnan", lambda x, /: namespace(x).isnan(x), "Whether it is not a number, elementwise."
)
isinf = _predicate(
    r"y = [|x| = \infty]", "isinf", "isinf", lambda x, /: namespace(x).isinf(x), "Whether it is infinite, elementwise."
)
isfinite = _predicate(
    r"y = [|x| < \infty]",
    "isfinite",
    "isfinite",
    lambda x, /: namespace(x).isfinite(x),
    "Whether it is a finite number, elementwise.",
)
signbit = _predicate(
    r"y = [\operatorname{copysign}(1, x) < 0]",
    "signbit",
    (),
    lambda x, /: namespace(x).signbit(x),
    "Whether the sign is a minus, elementwise; that of -0.0 is.",
)


def _bits(formula, name, symbol, count, doc):
    """An operation on the bits of whole numbers; a truth value is one bit."""

    def two(a, b, /):
        return _function(name, a, b)(a, b)

    def one(x, /):
        return _function(name, x)(x)

    return _predicate(formula, name, symbol, two if count == 2 else one, doc)


def _function(name, *values):
    """The array library's function of this name, where these are numbers that have bits to work on."""
    for value in values:
        dtype = getattr(value, "dtype", None)
        if isinstance(value, float) if dtype is None else dtype.kind not in "iub":
            raise TypeError(
                f"bits are those of whole numbers or of true and false, not of {dtype or 'float'}; "
                f"compare first, as in (x > 0), or use {name.replace('bitwise', 'logical').replace('invert', 'not')}()"
            )
    return getattr(namespace(*values), name)


bitwise_and = _bits(r"y = a \mathbin{\&} b", "bitwise_and", "&", 2, "The bits that both have, elementwise.")
bitwise_or = _bits(r"y = a \mathbin{|} b", "bitwise_or", "|", 2, "The bits that one of them has, elementwise.")
bitwise_xor = _bits(r"y = a \oplus b", "bitwise_xor", "^", 2, "The bits that exactly one has, elementwise.")
bitwise_invert = _bits(
    r"y = \mathord{\sim} x", "bitwise_invert", "~", 1, "The bits that it does not have, elementwise."
)
bitwise_left_shift = _bits(
    r"y = a \ll b", "bitwise_left_shift", "<<", 2, "The bits of a moved up by b places, elementwise."
)
bitwise_right_shift = _bits(
    r"y = a \gg b", "bitwise_right_shift", ">>", 2, "The bits of a moved down by b places, elementwise."
)
