"""The tests of gradients are tested: with a rule made wrong, the check that `test_operations` makes must fail."""

from importlib import import_module

import numpy
import pytest
from cases import DIFFERENTIABLE, check_gradients, rows_of

import ichikara
from ichikara.arrays import Interpreter, interpreting
from ichikara.autodiff import GradientError, Operation, check_grads, operations
from ichikara.autodiff.plan import plan_of
from ichikara.fast import registry
from ichikara.fast.modules import normalise_leaky

engine, linalg, shape = (import_module(f"ichikara.{name}") for name in ("autodiff.engine", "ops.linalg", "ops.shape"))

RULES = [
    (name, input)
    for name, operation in operations.items()
    if isinstance(operation, Operation)
    for input in operation.rules
]


IMPLEMENTED = [(name, input) for name, found in registry.implementations.items() for input in found.rules]


def scaled(rule, factor):
    """The rule with all that it gives multiplied."""

    def wrong(*needed):
        given = rule(*needed)
        return [part * factor for part in given] if isinstance(given, list) else given * factor

    return wrong


def differentiable_rows(name):
    """The rows of an operation that its gradients are tested by, the small ones first."""
    rows = [case for case in rows_of(name) if case.differentiable is True]
    return sorted(rows, key=lambda case: sum(a.size for a in case.sample()))


def is_noticed(name):
    """Whether a row's check fails."""
    for case in differentiable_rows(name):
        try:
            check_gradients(case, order=1)
        except (AssertionError, ValueError, RuntimeError):
            return True
    return False


def check_fused(negative_slope):
    """The gradients of what the wing alone has: a normalisation fused with its activation."""
    arrays = [numpy.random.default_rng(0).normal(size=shape) for shape in ((5, 3, 2), (1, 3, 1), (1, 3, 1))]
    function = lambda x, w, b: normalise_leaky(x, w, b, axes=(0, 2), negative_slope=negative_slope)[0]
    check_grads(function, *arrays)
    with interpreting(Interpreter()):
        expected = function(*map(ichikara.asarray, arrays)).numpy()
    numpy.testing.assert_allclose(function(*map(ichikara.asarray, arrays)).numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("negative_slope", [0.0, 0.1, 1.0])
def test_a_normalisation_fused_with_its_activation(negative_slope):
    check_fused(negative_slope)


@pytest.mark.parametrize("factor", [0.0, 1.01])
@pytest.mark.parametrize(("name", "input"), RULES)
def test_a_wrong_rule_is_noticed(name, input, factor, monkeypatch):
    operation = operations[name]
    rule = operation.rules[input]
    monkeypatch.setitem(operation.rules, input, rule._replace(function=scaled(rule.function, factor)))
    plan_of.cache_clear()  # plans remember the right rule
    with interpreting(Interpreter()):  # an implementation would use rules of its own
        noticed = is_noticed(name)
    plan_of.cache_clear()
    assert noticed


@pytest.mark.parametrize("factor", [0.0, 1.01])
@pytest.mark.parametrize(
    ("name", "input"), [(n, i) for n, found in registry.implementations.items() for i in found.rules]
)
def test_a_wrong_rule_of_an_implementation_is_noticed(name, input, factor, monkeypatch):
    right = registry.implementations[name]
    wrong = registry.Implementation(right.function, right.keeps, right.rules)
    wrong.rules[input] = right.rules[input]._replace(function=scaled(right.rules[input].function, factor))
    monkeypatch.setitem(registry.implementations, name, wrong)
    if name in operations:
        assert is_noticed(name)
    else:
        with pytest.raises(GradientError):
            check_fused(0.1)


@pytest.mark.parametrize(
    ("name", "module"),
    [(name, engine) for name in dict(RULES) if operations[name].broadcasts]
    + [("matmul", linalg), ("einsum", linalg), ("broadcast_to", shape)],
)
def test_a_gradient_that_is_not_summed_is_noticed(name, module, monkeypatch):
    monkeypatch.setattr(module, "sum_to", lambda x, shape: x)
    with interpreting(Interpreter()):
        assert is_noticed(name)


@pytest.mark.parametrize("name", sorted({case.name for case in DIFFERENTIABLE}))
def test_the_right_rules_pass(name):
    """So what is noticed above is the mutation, and not the row."""
    for case in differentiable_rows(name)[:1]:
        check_gradients(case, order=1)
