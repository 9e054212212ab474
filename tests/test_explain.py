"""`explain`: what it writes is what the engine computes, of any computation."""

import json

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ichikara
from ichikara import asarray, nn, sigmoid
from ichikara.errors import UserError
from ichikara.glass.explain import explain
from ichikara.glass.naming import named, symbol_of
from ichikara.glass.text import to_text

f0, f1 = named("f^0", sigmoid), named("f^1", sigmoid)


def leaf(value, dtype="float32"):
    return asarray(numpy.asarray(value, dtype), requires_grad=True)


# --- the lecture's slides ---------------------------------------------------------------------------------------------


def scalar_net():
    """The net with two inputs, two hidden neurons and one output, neuron by neuron."""
    x0, x1, y = leaf(0.5), leaf(-1.0), asarray(1.0)
    w0_00, w0_01, w0_10, w0_11 = leaf(0.1), leaf(0.2), leaf(-0.3), leaf(0.4)
    w1_00, w1_01 = leaf(0.7), leaf(-0.5)
    u0_0, u0_1 = w0_00 * x0 + w0_01 * x1, w0_10 * x0 + w0_11 * x1
    o0_0, o0_1 = f0(u0_0), f0(u0_1)
    u1_0 = w1_00 * o0_0 + w1_01 * o0_1
    o = f1(u1_0)
    L = (o - y) ** 2
    return L


def test_the_slide_of_the_net_in_numbers():
    explanation = explain(scalar_net, "x1", language="en")
    assert explanation.text().splitlines()[3] == (
        "∂L/∂x₁ = ∂L/∂o · f¹′(u¹₀)(w¹₀₀ f⁰′(u⁰₀) w⁰₀₁ + w¹₀₁ f⁰′(u⁰₁) w⁰₁₁)"
    )
