"""Every row of the table of cases, through every property that an operation has."""

from dataclasses import replace

import numpy
import pytest
from cases import CASES, DIFFERENTIABLE, check_gradients, rows_of

import ichikara
from ichikara.autodiff import Composition, Operation, Tensor, asarray, operations, raw, wrap

TIGHT = {"rtol": 1e-11, "atol": 1e-12}
FIRST = list({case.name: case for case in reversed(CASES)}.values())  # where one row of an operation will do


def each(cases):
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.id)


def project(seed, *arrays):
    """Fixed random gradients of these outputs."""
    random = numpy.random.default_rng(seed)
    return [numpy.asarray(random.standard_normal(tuple(array.shape))) for array in arrays]


def leaves(arrays):
    return [asarray(a, requires_grad=a.dtype.kind == "f") for a in arrays]


def ours(case, arrays, weights=None):
    """A row's value, and its gradients by our sweep for fixed random weights of the output."""
    tensors = leaves(arrays)
    value = case.function(str(arrays[-1].dtype) if arrays[-1].dtype.kind == "f" else "float64")(*tensors)
    if weights is None:
        (weights,) = project(1, value)
    if not value.requires_grad:  # a product of nothing is 1, whatever the factors
        return value.numpy(), [numpy.zeros_like(a) for a in arrays if a.dtype.kind == "f"]
    value.backward(weights)
    return value.numpy(), [t.grad.numpy() for t in tensors if t.requires_grad]


def of_torch(torch, case, arrays, second=False):
    """The same by PyTorch: value, gradients, and where asked the gradients of a projection of the gradients."""
    inputs = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    wanted = [x for x in inputs if x.requires_grad]
    value = case.oracle(torch, *inputs)
    if case.differentiable is not True:
        return value.detach().numpy(), []
    (weights,) = project(1, value)
    gradients = torch.autograd.grad(
        value, wanted, torch.tensor(weights).to(value), create_graph=second, allow_unused=True, materialize_grads=True
    )
    if not second:
        return value.detach().numpy(), [g.numpy() for g in gradients]
    directions = project(2, *gradients)
    slope = sum((g * torch.tensor(v)).sum() for g, v in zip(gradients, directions, strict=True))
    if not slope.requires_grad:
        return [numpy.zeros(x.shape) for x in wanted]
    return [g.numpy(force=True) for g in torch.autograd.grad(slope, wanted, allow_unused=True, materialize_grads=True)]


def agree(ours, theirs, **tolerance):
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        numpy.testing.assert_allclose(a, b, **tolerance)


def test_the_table_and_the_registry_hold_the_same_names():
    assert {case.name for case in CASES} == set(operations)


def test_every_operation_has_its_formula_and_its_words():
    for operation in operations.values():
        assert operation.formula, operation.name
        assert "Shapes:" in (operation.__doc__ or ""), operation.name


def test_an_operation_with_a_rule_has_a_row_that_uses_it():
    for operation in operations.values():
        if isinstance(operation, Operation):
            has_rule = bool(operation.rules)
            assert has_rule == any(c.differentiable is True for c in rows_of(operation.name)), operation.name


# --- value ------------------------------------------------------------------------------------------------------------


@each([case for case in CASES if case.expected])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_value_is_numpys(case, dtype):
    inputs = case.sample(dtype)
    value = case.function(dtype)(*map(asarray, inputs)).numpy()
    numpy.testing.assert_array_equal(value, case.expected(*inputs))


@each([case for case in CASES if case.oracle])
def test_value_and_gradient_are_pytorchs(case, torch):
    for shapes in (None, *case.shapes):
        inputs = case.sample(shapes=shapes)
        theirs, their_gradients = of_torch(torch, case, inputs)
        if case.differentiable is True:
            value, gradients = ours(case, inputs)
            agree(gradients, their_gradients, **TIGHT)
        else:
            value = case.function()(*map(asarray, inputs)).numpy()
        assert value.shape == theirs.shape
        numpy.testing.assert_allclose(value, theirs, **TIGHT)


@each([case for case in CASES if case.oracle])
def test_float32_is_float64_rounded(case, torch):
    inputs = case.sample("float32")
    exact, exact_gradients = of_torch(torch, case, [_widened(a) for a in inputs])
    if case.differentiable is True:
        value, gradients = ours(case, inputs)
        agree(gradients, exact_gradients, rtol=2e-5, atol=2e-6)
    else:
        value = case.function("float32")(*map(asarray, inputs)).numpy()
    numpy.testing.assert_allclose(value, exact, rtol=5e-6, atol=1e-6)


def _widened(array):
    return array.astype("float64") if array.dtype.kind == "f" else array


@each([case for case in CASES if case.special])
def test_special_values_and_their_gradients_are_pytorchs(case, torch):
    for inputs in case.special:
        # PyTorch's own constants, such as the 1e-12 under a probability, have float32's digits.
        for dtype, tolerance in (("float64", {"rtol": 1e-8, "atol": 1e-12}), ("float32", {"rtol": 2e-6, "atol": 1e-7})):
            arrays = [numpy.array(x, dtype=dtype) for x in inputs]
            theirs, their_gradients = of_torch(torch, case, arrays)
            if case.differentiable is True:
                value, gradients = ours(case, arrays)
                agree(gradients, their_gradients, **tolerance)
            else:
                value = case.function()(*map(asarray, arrays)).numpy()
            numpy.testing.assert_allclose(value, theirs, **tolerance)


def test_logsumexp_of_what_is_impossible():
    """Nothing, or nothing but -inf, gives -inf; and where PyTorch's gradient is nan ours is 0."""
    x = asarray([[-numpy.inf, -numpy.inf], [0.0, 0.0]], requires_grad=True)
    value = x.logsumexp(axis=1)
    value.backward([1.0, 1.0])
    numpy.testing.assert_allclose(value.numpy(), [-numpy.inf, numpy.log(2.0)], rtol=1e-6)
    numpy.testing.assert_allclose(x.grad.numpy(), [[0.0, 0.0], [0.5, 0.5]])
    assert ichikara.logsumexp(numpy.zeros((2, 0)), axis=1).tolist() == [-numpy.inf, -numpy.inf]
    assert ichikara.logsumexp(numpy.zeros((0, 2)), axis=1).shape == (0,)


# --- gradients --------------------------------------------------------------------------------------------------------


@each(DIFFERENTIABLE)
def test_gradients_are_slopes_to_second_order(case):
    check_gradients(case)
    for shapes in case.shapes:
        check_gradients(case, order=1, shapes=shapes)


@each([case for case in DIFFERENTIABLE if case.oracle])
def test_gradients_of_gradients_are_pytorchs(case, torch):
    inputs = case.sample()
    theirs = of_torch(torch, case, inputs, second=True)
    positions = tuple(i for i, a in enumerate(inputs) if a.dtype.kind == "f")

    constant = [a for a in inputs if a.dtype.kind != "f"]

    def of_floats(*tensors):
        tensors, rest = iter(tensors), iter(constant)
        return [next(tensors) if a.dtype.kind == "f" else next(rest) for a in inputs]

    def of_reals(*tensors):
        def function(*reals):
            return case.function()(*of_floats(*reals))

        value, pull = ichikara.vjp(function, *tensors)
        (weights,) = project(1, value)
        gradients = pull(weights)
        directions = project(2, *gradients)
        return sum((g * asarray(v)).sum() for g, v in zip(gradients, directions, strict=True))

    reals = [inputs[i] for i in positions]
    gradients = ichikara.grad(of_reals, tuple(range(len(reals))))(*reals)
    agree([g.numpy() for g in gradients], theirs, rtol=1e-9, atol=1e-10)


@each([case for case in CASES if case.differentiable is not True])
def test_what_has_no_gradient_records_nothing(case):
    value = case.function()(*leaves(case.sample()))
    assert not value.requires_grad


@each([c for c in DIFFERENTIABLE if c.composes is True and isinstance(operations[c.name], Operation)])
def test_rule_is_the_gradient_of_the_composed_form(case):
    inputs = case.sample()
    value, gradients = ours(case, inputs)
    tensors = leaves(inputs)
    composed = case.apply(operations[case.name].function, tensors)
    assert isinstance(composed, Tensor)
    numpy.testing.assert_allclose(composed.numpy(), value, **TIGHT)
    (weights,) = project(1, composed)
    composed.backward(weights)
    agree([t.grad.numpy() for t in tensors if t.requires_grad], gradients, **TIGHT)


# --- staged -----------------------------------------------------------------------------------------------------------


def staged(jax, case):
    """A row as a function of arrays, to be traced: its value, its gradients by our sweep, and those by `jax.vjp`."""

    def forward(*arrays):
        return raw(case.function()(*[wrap(a, None) for a in arrays]))

    def function(weights, *arrays):
        if case.differentiable is not True:
            return forward(*arrays), [], []
        floats = [i for i, a in enumerate(arrays) if a.dtype.kind == "f"]
        tensors = [asarray(a, requires_grad=i in floats) for i, a in enumerate(arrays)]
        value = case.function()(*tensors)
        value.backward(wrap(weights, None))

        def of_floats(*reals):
            reals = iter(reals)
            return forward(*[next(reals) if i in floats else a for i, a in enumerate(arrays)])

        _, pull = jax.vjp(of_floats, *[arrays[i] for i in floats])
        return raw(value), [raw(tensors[i].grad) for i in floats], list(pull(weights))

    return function


@pytest.mark.parametrize("name", sorted({case.name for case in CASES if case.traceable is True}))
@pytest.mark.parametrize("most", [2, pytest.param(None, marks=pytest.mark.slow)])
def test_traced_under_jit_is_eager(name, most, jax):
    """Rows of an operation are compiled together, which takes half the time; some of them by default, or all."""
    cases = [case for case in rows_of(name) if case.traceable is True]
    cases = cases[:: -(-len(cases) // most)] if most else cases
    expected, functions, given = [], [], []
    for case in cases:
        inputs = case.sample()
        if case.differentiable is True:
            value, gradients = ours(case, inputs)
        else:
            value, gradients = case.function()(*map(asarray, inputs)).numpy(), []
        expected.append((value, gradients))
        functions.append(staged(jax, case))
        given.append((*project(1, value), *inputs))
    traced = jax.jit(lambda given: [f(*arrays) for f, arrays in zip(functions, given, strict=True)])(given)
    for case, (value, gradients), (traced_value, *both) in zip(cases, expected, traced, strict=True):
        assert traced_value.dtype == value.dtype, case.id
        numpy.testing.assert_allclose(traced_value, value, err_msg=case.id, **TIGHT)
        for theirs in both:
            agree([numpy.asarray(g) for g in theirs], gradients, err_msg=case.id, **TIGHT)


# --- types of numbers -------------------------------------------------------------------------------------------------


@each([case for case in CASES if case.name != "astype"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_type_is_kept(case, dtype):
    inputs = case.sample(dtype)
    tensors = leaves(inputs) if case.differentiable is True else [asarray(a) for a in inputs]
    value = case.function(dtype)(*tensors)
    if case.differentiable is True:
        assert value.dtype == dtype
        value.backward(numpy.ones(value.shape))
        for t in tensors:
            assert t.grad is None or t.grad.dtype == dtype
    elif case.name == "one_hot":
        assert value.dtype == "float32"
    else:
        assert value.dtype in (dtype, "bool", "int64")


@each([case for case in FIRST if any(a.dtype.kind == "f" for a in case.sample())])
def test_whole_numbers_never_become_float64(case):
    """They stay whole, or become float32 where the operation is one of real numbers."""
    arrays = [numpy.ones(a.shape, "int64") if a.dtype.kind == "f" else a for a in case.sample()]
    value = case.function("float32")(*map(asarray, arrays))
    operation = operations[case.name]
    if getattr(operation, "floating", False):
        assert value.dtype == "float32"
    elif case.name != "astype":
        assert value.dtype in ("float32", "int64", "bool")


_BROADCASTING = [name for name, operation in operations.items() if getattr(operation, "broadcasts", False)]
_MIXING = [name for name in _BROADCASTING if not name.startswith(("logical", "bitwise")) and name != "where"]


@pytest.mark.parametrize("name", _MIXING)
@pytest.mark.parametrize(
    "other",
    [2, 2.0, True, numpy.float64(2.0), numpy.float32(2.0), numpy.int64(2), numpy.array([2, 1]), numpy.array(2)],
    ids=repr,
)
def test_what_stands_beside_float32_does_not_widen_it(name, other):
    x = asarray([1.5, 2.5], requires_grad=any(operations[name].rules))
    for given in ((x, other), (other, x)):
        value = operations[name](*given)
        assert isinstance(value, Tensor)
        assert value.dtype in ("float32", "bool")
        if value.requires_grad:
            x.grad = None
            value.sum().backward()
            assert x.grad.dtype == "float32"
            assert x.grad.shape == (2,)


@each([c for c in CASES if any(isinstance(v, float) for v in c.options.values())])
def test_an_option_of_numpys_type_does_not_widen(case):
    options = {k: numpy.float64(v) if isinstance(v, float) else v for k, v in case.options.items()}
    inputs = case.sample("float32")
    value = replace(case, options=options).function("float32")(*map(asarray, inputs))
    assert value.dtype == "float32"
    numpy.testing.assert_allclose(value.numpy(), case.function("float32")(*map(asarray, inputs)).numpy())


def test_wider_floats_win():
    narrow, wide = asarray([1.0, 2.0], requires_grad=True), asarray([1.0, 2.0], dtype="float64", requires_grad=True)
    product = narrow * wide
    product.sum().backward()
    assert product.dtype == "float64"
    assert (narrow.grad.dtype, wide.grad.dtype) == ("float32", "float64")


def test_chosen_numbers_are_float32():
    condition = asarray([True, False])
    assert ichikara.where(condition, 1.0, 0.0).dtype == "float32"
    assert ichikara.where(condition, 1, 0).dtype == "int64"
    assert ichikara.where(condition, 1, 0.5).dtype == "float32"


def test_whole_numbers_beside_fractions_become_float32():
    counts = asarray([1, 2, 3])
    assert (counts / 2).dtype == "float32"
    assert (counts * 0.5).dtype == "float32"
    assert (counts * 2).dtype == "int64"
    assert counts.clip(0.5, 2.5).dtype == "float32"
    assert counts.clip(min=2).dtype == "int64"
    assert ichikara.leaky_relu(counts).dtype == "float32"
    assert ichikara.heaviside(counts, at_zero=0.5).dtype == "float32"


@pytest.mark.parametrize("name", ["erf", "gelu", "sigmoid", "mean", "softmax", "sqrt", "var"])
def test_float16_is_kept(name):
    x = asarray([0.5, 1.0], dtype="float16", requires_grad=True)
    value = operations[name](x)
    value.sum().backward()
    assert (value.dtype, x.grad.dtype) == ("float16", "float16")


def test_astype():
    x = asarray([1.5, 2.5], requires_grad=True)
    assert x.astype("int64").tolist() == [1, 2]
    wide = x.astype("float64")
    (wide * wide).sum().backward()
    assert (wide.dtype, x.grad.dtype) == ("float64", "float32")
    assert x.grad.tolist() == [3.0, 5.0]


# --- behaviour --------------------------------------------------------------------------------------------------------


_SLOPING = [name for name in _BROADCASTING if any(operations[name].rules) and len(rows_of(name)[0].samplers) > 1]


@pytest.mark.parametrize("name", _SLOPING)
def test_gradients_have_the_shapes_of_broadcast_inputs(name):
    case = rows_of(name)[0]
    n = len(case.samplers)
    for shapes in (((3, 1), (1, 4)), ((), (2, 3)), ((2, 3), ()), ((4,), (2, 3, 4)), ((1,), (3,)), ((2, 0), (1,))):
        inputs = case.sample(shapes=((),) * (n - 2) + shapes)
        tensors = leaves(inputs)
        value = operations[name](*tensors)
        assert value.shape == numpy.broadcast_shapes(*shapes)
        value.backward(numpy.ones(value.shape))
        for t in tensors:
            assert t.grad is None or t.grad.shape == t.shape


@each(CASES)
def test_nothing_is_mutated(case):
    inputs = case.sample()
    before = [a.tobytes() for a in inputs]
    tensors = [asarray(a) for a in inputs]  # sharing memory
    assert all(t.data.base is a or t.data is a or a.ndim == 0 for t, a in zip(tensors, inputs, strict=True))
    if case.differentiable is True:
        for t in tensors:
            t.requires_grad = t.dtype.kind == "f"
        value = case.function()(*tensors)
        g = numpy.random.default_rng(1).standard_normal(value.shape)
        g_before, value_before = g.tobytes(), value.numpy().tobytes()
        value.backward(asarray(g))
        assert g.tobytes() == g_before
        assert value.numpy().tobytes() == value_before
    else:
        case.function()(*tensors)
    assert [a.tobytes() for a in inputs] == before


def _every_other(array):
    """The same numbers, lying two apart and backwards."""
    if not array.ndim:
        return array
    apart = numpy.zeros(tuple(2 * n for n in array.shape), dtype=array.dtype)
    view = apart[tuple(slice(None, None, -2) for _ in array.shape)]
    view[...] = array
    return view


def _columns_first(array):
    return numpy.array(array, order="F")


@each(CASES)
@pytest.mark.parametrize("layout", [_every_other, _columns_first], ids=["apart", "fortran"])
def test_the_layout_in_memory_does_not_matter(case, layout):
    inputs = case.sample()
    laid = [layout(a) for a in inputs]
    if case.differentiable is True:
        value, gradients = ours(case, inputs)
        weights = layout(numpy.random.default_rng(1).standard_normal(value.shape))
        tensors = [wrap(a, None) for a in laid]
        for t in tensors:
            t.requires_grad = t.dtype.kind == "f"
        other = case.function()(*tensors)
        other.backward(weights)
        agree([t.grad.numpy() for t in tensors if t.requires_grad], gradients, **TIGHT)
        numpy.testing.assert_allclose(other.numpy(), value, **TIGHT)
    else:
        value = case.function()(*map(asarray, inputs)).numpy()
        numpy.testing.assert_array_equal(case.function()(*[wrap(a, None) for a in laid]).numpy(), value)


@each(FIRST)
def test_arrays_and_lists_are_taken_as_well_as_tensors(case):
    inputs = case.sample("float32")
    expected = case.function("float32")(*map(asarray, inputs)).numpy()
    value = case.function("float32")(*inputs)
    assert isinstance(value, Tensor)
    numpy.testing.assert_array_equal(value.numpy(), expected)
    listed = case.function("float32")(*[a.tolist() for a in inputs])
    assert isinstance(listed, Tensor)
    numpy.testing.assert_array_equal(listed.numpy(), expected)


@each([case for case in FIRST if isinstance(operations[case.name], Composition)])
def test_a_composition_has_no_rule_of_its_own(case):
    assert not hasattr(operations[case.name], "gradients")


@pytest.mark.parametrize("padding_idx", [None, 3, -1])
@pytest.mark.parametrize("count", [7, 100])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32"])
def test_rows_are_chosen_by_short_whole_numbers_of_a_table_longer_than_they_reach(dtype, count, padding_idx):
    drawn = numpy.random.default_rng(0)
    table, indices = drawn.normal(size=(300, 64)), drawn.integers(0, 127, (2, count))

    def gradient(indices):
        weight = asarray(table, requires_grad=True)
        (ichikara.ops.embedding(asarray(indices), weight, padding_idx=padding_idx) ** 2).sum().backward()
        return weight.grad.numpy()

    numpy.testing.assert_array_equal(gradient(indices.astype(dtype)), gradient(indices))
