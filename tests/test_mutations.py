"""The tests of gradients are tested: with a rule made wrong, the check that `test_operations` makes must fail."""

from importlib import import_module

import pytest
from cases import DIFFERENTIABLE, check_gradients, rows_of

from ichikara.arrays import Interpreter, interpreting
from ichikara.autodiff import Operation, operations
from ichikara.autodiff.plan import plan_of

engine, linalg, shape = (import_module(f"ichikara.{name}") for name in ("autodiff.engine", "ops.linalg", "ops.shape"))

RULES = [
    (name, input)
    for name, operation in operations.items()
    if isinstance(operation, Operation)
    for input in operation.rules
]


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
