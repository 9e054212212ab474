"""Elementary functions in compiled code.

The C library's exponential and hyperbolic tangent are called element by element. The polynomials here are vectorised.
"""

import math

import numpy

from .lazy import inner, intrinsic, lazy_import, overloaded

__all__ = ["copy_row", "exp", "llvm_maximum", "maximum", "sigmoid", "tanh"]

cgutils, ir, types = lazy_import("numba.core.cgutils"), lazy_import("llvmlite.ir"), lazy_import("numba.types")


@inner
def copy_row(out, x):
    """Copy a row of numbers. In compiled code an assignment of arrays would count references instead."""
    for j in range(x.size):
        out[j] = x[j]


@overloaded
def exp(x):
    """The exponential; in float32 within 2 units of the last place."""
    return _exp32 if x == types.float32 else lambda x: math.exp(x)


_LOG2_E = numpy.float32(1.44269504)
_LN2_HIGH, _LN2_LOW = numpy.float32(0.693359375), numpy.float32(-2.12194440e-4)
_EXP_MIN, _EXP_MAX = numpy.float32(-87.3), numpy.float32(89.0)  # there 2^k is 0 already, or the result infinite


@intrinsic
def _fma(typing, x, a, b):
    """x + a b, for a sum whose order must not be changed."""

    def code(context, builder, signature, arguments):
        number = arguments[0].type
        kind = f"llvm.fmuladd.f{x.bitwidth}"
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(number, [number] * 3), kind)
        return builder.call(function, [*arguments[1:], arguments[0]])

    return x(x, x, x), code


def _exp32(x):
    # e^x = 2^k e^r with k the integer nearest to x / ln 2; then |r| <= ln 2 / 2, and a polynomial suffices. ln 2 is
    # subtracted in two parts, so that r keeps its digits (W. Cody and W. Waite 1980). 2^k is made from its bits,
    # as 2 2^(k-1), because 2^128 has none. math.floor would give a 64-bit integer, which AVX2 does not vectorise: with
    # it this took four times as long. nan is not beyond the bounds, and stays nan to the end.
    one, half = numpy.float32(1.0), numpy.float32(0.5)
    clamped = _EXP_MAX if x > _EXP_MAX else x
    clamped = _EXP_MIN if clamped < _EXP_MIN else clamped
    k = numpy.floor(clamped * _LOG2_E + half)
    r = _fma(_fma(clamped, -k, _LN2_HIGH), -k, _LN2_LOW)
    p = numpy.float32(1.9875691500e-4)
    p = p * r + numpy.float32(1.3981999507e-3)
    p = p * r + numpy.float32(8.3334519073e-3)
    p = p * r + numpy.float32(4.1665795894e-2)
    p = p * r + numpy.float32(1.6666665459e-1)
    p = p * r + numpy.float32(5.0000001201e-1)
    p = p * r * r + r + one
    power = numpy.int32((numpy.int32(k) + numpy.int32(126)) << numpy.int32(23)).view(numpy.float32)
    return p * power * numpy.float32(2.0)


@overloaded
def tanh(x):
    """The hyperbolic tangent; in float32 within 5 units of the last place."""
    return _tanh32 if x == types.float32 else lambda x: math.tanh(x)


_TANH_SATURATION = numpy.float32(7.90531111)


def _tanh32(x):
    # The quotient of an odd and an even polynomial; beyond 7.9 it is 1 to the last place. Source: the coefficients are
    # those of Eigen's and XLA's approximation.
    u = _TANH_SATURATION if x > _TANH_SATURATION else x  # nan stays
    u = -_TANH_SATURATION if u < -_TANH_SATURATION else u
    s = u * u
    p = numpy.float32(-2.76076847742355e-16)
    p = p * s + numpy.float32(2.00018790482477e-13)
    p = p * s + numpy.float32(-8.60467152213735e-11)
    p = p * s + numpy.float32(5.12229709037114e-08)
    p = p * s + numpy.float32(1.48572235717979e-05)
    p = p * s + numpy.float32(6.37261928875436e-04)
    p = p * s + numpy.float32(4.89352455891786e-03)
    q = numpy.float32(1.19825839466702e-06)
    q = q * s + numpy.float32(1.18534705686654e-04)
    q = q * s + numpy.float32(2.26843463243900e-03)
    q = q * s + numpy.float32(4.89352518554385e-03)
    y = u * p / q
    y = numpy.float32(1.0) if x > _TANH_SATURATION else y
    return numpy.float32(-1.0) if x < -_TANH_SATURATION else y


@overloaded
def sigmoid(x):
    """The logistic sigmoid; where the exponential is infinite, it is 0."""
    one = numpy.float32(1) if x == types.float32 else 1.0
    return lambda x: one / (one + exp(-x))


@intrinsic
def maximum(typing, a, b):
    """The larger of two numbers, nan if one of them is; in compiled code.

    With it the maximum of a row is vectorised. With Python's max, which does not propagate nan, it is not: that took a
    third of the time of a softmax.
    """

    def code(context, builder, signature, arguments):
        return llvm_maximum(builder, f"f{a.bitwidth}", *arguments)

    return a(a, a), code


def llvm_maximum(builder, kind, a, b):
    """The instruction for the elementwise maximum of two numbers or vectors of a type such as "f32" or "v16f32"."""
    function = ir.FunctionType(a.type, [a.type, b.type])
    return builder.call(cgutils.get_or_insert_function(builder.module, function, f"llvm.maximum.{kind}"), [a, b])
