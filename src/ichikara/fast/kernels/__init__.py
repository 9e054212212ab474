"""Kernels: loops that Numba compiles, each for an operation or for the gradient of an input; importing them registers them."""

from . import (
    activation,
    attention,
    convolution,
    layout,
    linear,
    loss,
    norm,
    optim,
    pool,
    product,
    recurrent,
    reduce,
    softmax,
    spread,
)

__all__ = [
    "activation",
    "attention",
    "convolution",
    "layout",
    "linear",
    "loss",
    "norm",
    "optim",
    "pool",
    "product",
    "recurrent",
    "reduce",
    "softmax",
    "spread",
]
