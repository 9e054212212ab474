"""The engine: what a Tensor is, how the sweep behaves, and the functions that differentiate functions."""

import copy
import gc
import threading
import weakref

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ichikara
from ichikara.autodiff import GradientError, Operation, Tensor, asarray, op, operations, raw, wrap
from ichikara.autodiff.modes import mode


def leaf(numbers, dtype="float64"):
    return asarray(numbers, dtype=dtype, requires_grad=True)


@pytest.fixture
def defined():
    """The operations that a test defines are forgotten after it."""
    before = dict(operations)
    yield
    operations.clear()
    operations.update(before)


# --- making tensors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "dtype", "shape"),
    [
        (1, "int64", ()),
        (1.5, "float32", ()),
        (True, "bool", ()),
        ([1, 2], "int64", (2,)),
        ([1, 2.5], "float32", (2,)),
        (((1.0, 2.0), (3.0, 4.0)), "float32", (2, 2)),
        (range(3), "int64", (3,)),
        ([], "float32", (0,)),
        ([[], []], "float32", (2, 0)),
        ([True, False], "bool", (2,)),
        (numpy.float64(1.5), "float64", ()),
        (numpy.float32(1.5), "float32", ()),
        (numpy.int8(1), "int8", ()),
    ],
)
def test_asarray_takes_numbers_and_lists(given, dtype, shape):
    t = asarray(given)
    assert (str(t.dtype), t.shape, t.ndim, t.size) == (dtype, shape, len(shape), int(numpy.prod(shape)))
    assert not t.requires_grad


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int8", "int16", "int32", "int64", "uint64", "float16", "float32", "float64"]
)
def test_asarray_keeps_the_type_and_shares_the_memory_of_an_array(dtype):
    array = numpy.ones((2, 3), dtype=dtype)
    t = asarray(array)
    assert t.dtype == dtype
    assert numpy.shares_memory(t.data, array)
    assert not numpy.shares_memory(asarray(array, copy=True).data, array)


def test_a_leaf_has_its_own_memory():
    array = numpy.ones(3)
    x = asarray(array, requires_grad=True)
    array[:] = 7
    assert x.tolist() == [1, 1, 1]


def test_asarray_of_a_tensor():
    x = leaf([1.0, 2.0])
    assert asarray(x) is x
    assert asarray(x, dtype="float64") is x
    narrow = asarray(x, dtype="float32")
    assert narrow.dtype == "float32"
    assert narrow.requires_grad
    fresh = asarray(x, requires_grad=True)
    assert fresh.is_leaf
    assert fresh is not x
    assert Tensor([1.0]).tolist() == [1.0]


class Frame:
    """What a foreign array or table looks like."""

    def __array__(self, dtype=None, copy=None):
        return numpy.ones(2)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (Frame(), "NumPy arrays, and this is a .*Frame; convert it first: numpy.asarray"),
        ("text", "not of str"),
        (None, "not of NoneType"),
        (object(), "not of object"),
        ({"a": 1}, "not of dict"),
        (1j, "not of complex"),
        (["a", "b"], "real numbers"),
        ([None], "real numbers"),
        (numpy.array([1j]), "real numbers, and these are of type complex128"),
        (numpy.array(["a"]), "real numbers"),
        (numpy.array(["2020-01-01"], dtype="datetime64[D]"), "real numbers"),
        ([asarray(1.0), asarray(2.0)], r"stack\(tensors\) or concat\(tensors\)"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(given, words):
    with pytest.raises(TypeError, match=words):
        asarray(given)


def test_an_array_of_pytorch_is_refused(torch):
    with pytest.raises(TypeError, match=r"torch\.Tensor; convert it first.*detach\(\)\.numpy\(\)"):
        asarray(torch.ones(2))
    with pytest.raises(TypeError, match="convert it first"):
        asarray([1.0, 2.0]) + torch.ones(2)


def test_ragged_lists_are_refused():
    with pytest.raises(ValueError, match="nested lists do not make an array"):
        asarray([[1, 2], [3]])


def test_only_floats_have_gradients():
    with pytest.raises(TypeError, match=r"only floating-point numbers have a gradient.*dtype='float32'"):
        asarray([1, 2], requires_grad=True)
    t = asarray([1, 2])
    with pytest.raises(TypeError, match="only floating-point"):
        t.requires_grad = True
    with pytest.raises(TypeError, match="only floating-point"):
        ichikara.grad(lambda x: x * 1.0)(3)


@pytest.mark.parametrize("dtype", ["complex64", "str", "nonsense", {}])
def test_a_type_that_is_none_is_refused(dtype):
    with pytest.raises(TypeError, match="no type of real numbers"):
        asarray([1.0], dtype=dtype)


def test_arrays_of_jax_are_taken_as_they_are(jax):
    array = jax.numpy.asarray([1.0, 2.0])
    x = asarray(array, requires_grad=True)
    (x * x).sum().backward()
    assert isinstance(raw(x.grad), jax.Array)
    assert x.grad.tolist() == [2.0, 4.0]


# --- a tensor as a Python object --------------------------------------------------------------------------------------


def test_numpy_is_a_copy_and_data_cannot_be_written():
    t = asarray([1.0, 2.0])
    array = t.numpy()
    array[0] = 9
    assert t.tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="read-only"):
        t.data[0] = 9
    seen = numpy.asarray(t)
    with pytest.raises(ValueError, match="read-only"):
        seen[0] = 9
    assert numpy.asarray(t, dtype="float64").dtype == "float64"
    assert numpy.array(t).flags.writeable


def test_assigning_data():
    x = leaf([1.0, 2.0])
    array = numpy.array([3.0, 4.0])
    x.data = array
    array[0] = 9
    assert x.tolist() == [3.0, 4.0]
    x.data = [5, 6]
    assert x.dtype == "float64"
    assert x.requires_grad
    with pytest.raises(ValueError, match=r"shape \(3,\), the tensor has \(2,\)"):
        x.data = [1.0, 2.0, 3.0]


def test_single_numbers():
    t = asarray([[2.5]])
    assert (t.item(), float(t), int(t), bool(t)) == (2.5, 2.5, 2, True)
    assert isinstance(t.item(), float)
    assert isinstance(asarray(3).item(), int)
    assert ["a", "b", "c"][asarray(1)] == "b"
    assert list(range(asarray(3))) == [0, 1, 2]
    assert f"{asarray(2.5):.3f}" == "2.500"
    assert f"{asarray(2.5)}" == "Tensor(2.5)"
    assert round(asarray(2.6)).item() == 3.0
    assert abs(asarray(-2.0)).item() == 2.0


def test_many_numbers_are_not_one():
    t = asarray([1.0, 2.0])
    for convert in (float, int, Tensor.item):
        with pytest.raises(ValueError, match=r"shape \(2,\), and a single number was asked of it; reduce it first"):
            convert(t)
    with pytest.raises(ValueError, match=r"neither true nor false.*\.any\(\)"):
        bool(t)
    with pytest.raises(ValueError, match="neither true nor false"):
        bool(asarray([]))
    with pytest.raises(ValueError, match="single number"):
        format(t, ".2f")
    for wrong in (asarray(1.0), asarray([1]), asarray(True)):
        with pytest.raises(TypeError, match="only a single whole number can be an index"):
            "abc"[wrong]


def test_length_and_iteration():
    t = asarray([[1.0, 2.0], [3.0, 4.0]])
    assert len(t) == 2
    assert [row.tolist() for row in t] == [[1.0, 2.0], [3.0, 4.0]]
    first, second = leaf([1.0, 2.0])
    assert first.requires_grad
    assert second.item() == 2.0
    with pytest.raises(TypeError, match="no axes has no length"):
        len(asarray(1.0))
    with pytest.raises(TypeError, match="no axes"):
        iter(asarray(1.0))
    with pytest.raises(IndexError):
        t[2]


def test_a_tensor_is_not_changed_in_place():
    t = asarray([1.0, 2.0])
    with pytest.raises(TypeError, match=r"where\(mask, value, t\).*concat\(\).*t\.data = array"):
        t[0] = 3.0
    same = t
    t += 1.0
    assert same.tolist() == [1.0, 2.0]
    assert t.tolist() == [2.0, 3.0]


def test_repr():
    assert repr(asarray([1.0, 2.0])) == "Tensor([1., 2.])"
    assert repr(asarray([1, 2])) == "Tensor([1, 2])"
    assert repr(leaf([1.0])) == "Tensor([1.], dtype=float64, requires_grad=True)"
    assert repr(asarray([[1.0], [2.0]])) == "Tensor([[1.],\n        [2.]])"
    assert repr(asarray(numpy.float64(1.0))) == "Tensor(1., dtype=float64)"


def test_tensors_are_compared_by_element_and_hashed_by_identity():
    a, b = asarray([1.0, 2.0]), asarray([1.0, 3.0])
    assert (a == b).tolist() == [True, False]
    assert (a != b).tolist() == [False, True]
    assert len({a, b, a}) == 2
    assert {a: 1}[a] == 1


def test_copies():
    x = leaf([1.0, 2.0])
    deep = copy.deepcopy(x)
    assert deep.requires_grad
    assert not numpy.shares_memory(deep.data, x.data)
    deep.sum().backward()
    assert x.grad is None
    twice = copy.deepcopy([x, x])
    assert twice[0] is twice[1]
    with pytest.raises(ValueError, match=r"take its detach\(\)"):
        copy.deepcopy(x * 2)
    assert copy.deepcopy((x * 2).detach()).tolist() == [2.0, 4.0]
    assert copy.copy(x).tolist() == [1.0, 2.0]


def test_numpy_leaves_the_operators_to_tensors():
    t = asarray([1.0, 2.0])
    array = numpy.array([1.0, 2.0], dtype="float32")
    for value in (
        array + t,
        t + array,
        numpy.float64(2.0) * t,
        t * numpy.float64(2.0),
        array @ t,
        array == t,
        array < t,
    ):
        assert isinstance(value, Tensor)
    assert (array - t).tolist() == [0.0, 0.0]
    assert (numpy.float64(2.0) * t).dtype == "float32"
    assert (numpy.float64(1.0) / t).tolist() == [1.0, 0.5]
    assert ([3.0, 4.0] - t).tolist() == [2.0, 2.0]


def test_operators():
    a, b = asarray([7.0, -7.0]), asarray([2.0, 2.0])
    assert (a + b).tolist() == [9.0, -5.0]
    assert (a // b).tolist() == [3.0, -4.0]
    assert (a % b).tolist() == [1.0, 1.0]
    assert (1 - a).tolist() == [-6.0, 8.0]
    assert (7 // b).tolist() == [3.0, 3.0]
    assert (7 % b).tolist() == [1.0, 1.0]
    assert (2**b).tolist() == [4.0, 4.0]
    assert (-a).tolist() == [-7.0, 7.0]
    assert (+a).tolist() == [7.0, -7.0]
    assert ((a > 0) & (b > 0)).tolist() == [True, False]
    assert ((a > 0) | (b > 0)).tolist() == [True, True]
    assert ((a > 0) ^ (b > 0)).tolist() == [False, True]
    assert (~(a > 0)).tolist() == [False, True]
    assert (b > 1.0).tolist() == [True, True]
    assert (a @ b).item() == 0.0


def test_methods_and_attributes_of_the_array_api():
    t = asarray([[1.0, 2.0, 3.0]])
    assert t.T.shape == t.mT.shape == (3, 1)
    assert t.reshape(3, 1).shape == t.reshape((3, 1)).shape == t.reshape([3, -1]).shape == (3, 1)
    assert t.reshape(-1).shape == (3,)
    assert t.__array_namespace__() is ichikara.ops
    assert t.device == "cpu"
    with pytest.raises(ValueError, match="T is of a matrix"):
        _ = asarray([1.0]).T


@pytest.mark.parametrize(
    "index",
    [
        asarray([0, 2]),
        [0, 2],
        (asarray([0, 1]), asarray([1, 1])),
        ([0, 1], slice(None)),
        asarray([True, False, True]),
        [True, False, True],
        asarray(1),
        numpy.int64(1),
        [],
        [[0, 1], [1, 2]],
    ],
)
def test_indexing_by_tensors_and_lists(index):
    x = leaf(numpy.arange(12.0).reshape(3, 4))

    def plain(part):
        return (
            part.numpy()
            if isinstance(part, Tensor)
            else numpy.array(part, int)
            if isinstance(part, list) and not part
            else part
        )

    of_numpy = tuple(map(plain, index)) if isinstance(index, tuple) else plain(index)
    expected = numpy.arange(12.0).reshape(3, 4)[of_numpy]
    value = x[index]
    numpy.testing.assert_array_equal(value.numpy(), expected)
    value.backward(numpy.ones(value.shape))
    counts = numpy.zeros((3, 4))
    numpy.add.at(counts, of_numpy, 1.0)
    numpy.testing.assert_array_equal(x.grad.numpy(), counts)


def test_an_index_of_fractions_is_refused():
    with pytest.raises(IndexError, match="whole numbers or of true and false, not of float32"):
        asarray([1.0, 2.0])[asarray([0.0])]
    with pytest.raises(IndexError, match="indices are whole numbers"):
        ichikara.take(asarray([1.0, 2.0]), asarray([0.0]))
    with pytest.raises(IndexError, match="indices from 0 to 2 do not fit an axis of length 2"):
        ichikara.take(asarray([1.0, 2.0]), asarray([0, 2]))


# --- backward ---------------------------------------------------------------------------------------------------------


def test_gradients_add_up():
    x = leaf(2.0)
    (x * x).backward()
    (x * x * x).backward()
    assert x.grad.item() == 4.0 + 12.0
    assert not x.grad.requires_grad
    x.grad = None
    assert x.grad is None


def test_the_gradient_can_be_set():
    x = leaf([1.0, 2.0])
    x.grad = [3.0, 4.0]
    assert x.grad.tolist() == [3.0, 4.0]
    x.grad = numpy.array([5, 6])
    assert x.grad.dtype == x.dtype
    with pytest.raises(ValueError, match=r"its tensor's shape \(2,\), not \(3,\)"):
        x.grad = [1.0, 2.0, 3.0]
    constant = asarray([1.0])
    constant.grad = None
    with pytest.raises(ValueError, match="only a leaf"):
        constant.grad = [1.0]


def test_backward_needs_one_number_or_its_gradient():
    x = leaf([1.0, 2.0])
    with pytest.raises(ValueError, match=r"shape \(2,\) needs the gradient of each element.*sum\(\), mean\(\)"):
        (x * x).backward()
    with pytest.raises(ValueError, match=r"shape \(2,\) has that shape too, not \(3,\)"):
        (x * x).backward([1.0, 2.0, 3.0])
    assert x.grad is None
    (x * x).backward([1.0, 10.0])
    assert x.grad.tolist() == [2.0, 40.0]
    (x.sum().reshape(1, 1)).backward()
    assert x.grad.tolist() == [3.0, 41.0]


def test_backward_of_a_leaf():
    x = leaf(2.0)
    x.backward()
    x.backward()
    assert x.grad.item() == 2.0


def test_backward_twice_is_an_error_unless_the_graph_is_kept():
    x = leaf(3.0)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 12.0
    with pytest.raises(
        RuntimeError, match=r"saved values are gone; compute the output again, or pass retain_graph=True"
    ):
        y.backward()
    assert x.grad.item() == 12.0


def test_a_part_that_was_swept_before_is_an_error_too():
    x = leaf(3.0)
    shared = x * x
    (shared * 2).backward()
    with pytest.raises(RuntimeError, match="retain_graph"):
        (shared * 3).backward()
    assert x.grad.item() == 12.0


@pytest.mark.parametrize(
    "use",
    [
        lambda x: (x * x).sum(),
        lambda x: ichikara.einsum("i,i->", x, x),
        lambda x: ichikara.concat([x, x]).square().sum(),
        lambda x: ichikara.matmul(x, x),
        lambda x: x.sin().sum(),
    ],
    ids=["multiply", "einsum", "square-of-concat", "matmul", "sin"],
)
def test_a_leaf_that_was_replaced_after_its_use_is_noticed(use, request):
    x = leaf([1.0, 2.0])
    y = use(x)
    x.data = [5.0, 6.0]
    if "concat" in request.node.callspec.id:
        y.backward()  # concat keeps none of its inputs' numbers, and square has those of concat
        assert x.grad.tolist() == [4.0, 8.0]
        return
    with pytest.raises(RuntimeError, match=r"leaf of shape \(2,\) was changed in place after \w+ had used it"):
        y.backward()
    assert x.grad is None
    use(x).backward()
    assert x.grad is not None


def test_a_leaf_whose_numbers_no_rule_needs_may_be_replaced():
    x = leaf([1.0, 2.0])
    y = (x + 1).sum()
    x.data = [5.0, 6.0]
    y.backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_what_needs_no_gradient_has_none():
    with pytest.raises(RuntimeError, match="nothing that requires a gradient went into this tensor"):
        asarray(1.0).backward()
    x = leaf(2.0)
    with pytest.raises(RuntimeError, match="nothing that requires a gradient"):
        x.detach().backward()
    with pytest.raises(ValueError, match=r"use detach\(\)"):
        (x * x).requires_grad = False
    x.requires_grad = False
    assert not (x * x).requires_grad
    x.requires_grad = True
    (x * x).backward()
    assert x.grad.item() == 4.0


def test_whole_numbers_cut_the_graph():
    x = leaf([1.5, 2.5])
    assert not x.astype("int64").requires_grad
    assert not (x > 2).requires_grad
    assert not x.argmax().requires_grad
    y = (x * (x > 2)).sum()
    y.backward()
    assert x.grad.tolist() == [0.0, 1.0]


def test_modes_nest():
    x = leaf(2.0)
    assert ichikara.is_grad_enabled()
    with ichikara.no_grad():
        assert not ichikara.is_grad_enabled()
        assert not (x * x).requires_grad
        with ichikara.enable_grad():
            assert (x * x).requires_grad
            with ichikara.no_grad():
                assert not (x * x).requires_grad
            assert (x * x).requires_grad
        assert not (x * x).requires_grad
    assert (x * x).requires_grad
    with pytest.raises(ZeroDivisionError), ichikara.no_grad():
        _ = 1 // 0
    assert ichikara.is_grad_enabled()

    @ichikara.no_grad()
    def recursive(n):
        return recursive(n - 1) if n else ichikara.is_grad_enabled()

    assert not recursive(3)
    assert ichikara.is_grad_enabled()


def test_threads_have_their_own_mode():
    inside, leave = threading.Event(), threading.Event()
    seen = []

    def other():
        seen.append(ichikara.is_grad_enabled())
        with ichikara.no_grad():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with ichikara.no_grad():
        thread.start()
        assert inside.wait(10)
    assert ichikara.is_grad_enabled()
    leave.set()
    thread.join()
    assert seen == [True]


def test_a_decorated_function_in_two_threads_restores_each_threads_mode():
    """One enters first and leaves first, so a stack that both share would hand out the wrong mode."""
    first_in, second_in, first_out = threading.Event(), threading.Event(), threading.Event()
    after = {}

    @ichikara.no_grad()
    def meet(name):
        if name == "first":
            first_in.set()
            second_in.wait(10)
        else:
            second_in.set()
            first_out.wait(10)

    def first():
        meet("first")
        after["first"] = ichikara.is_grad_enabled()
        first_out.set()

    def second():
        first_in.wait(10)
        with ichikara.no_grad():
            meet("second")
            after["second"] = ichikara.is_grad_enabled()

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert after == {"first": True, "second": False}


def test_diamonds_and_repeated_inputs():
    x = leaf(3.0)
    a = x * 2
    b, c = a.sin(), a * a
    (b * c + a).backward()
    u = 6.0
    slope = 2 * (numpy.cos(u) * u**2 + numpy.sin(u) * 2 * u + 1)
    assert x.grad.item() == pytest.approx(slope, rel=1e-12)

    m = leaf(numpy.arange(4.0).reshape(2, 2))
    (m @ m).sum().backward()
    ones = numpy.ones((2, 2))
    numpy.testing.assert_allclose(m.grad.numpy(), ones @ m.numpy().T + m.numpy().T @ ones)
    x = leaf(3.0)
    (x + x + x * x).backward()
    assert x.grad.item() == 8.0
    ichikara.stack([x, x, x]).sum().backward()
    assert x.grad.item() == 11.0


def test_a_chain_of_100_000_operations():
    x = leaf(1.0)
    y = x
    for _ in range(100_000):
        y = y + 1.0
    y.backward(retain_graph=True)
    assert x.grad.item() == 1.0
    last = weakref.ref(y)
    del y  # the graph was kept: taking it apart must not recurse either
    assert last() is None


def test_only_the_wanted_rules_are_run(defined):
    @op("y = a b")
    def picky(a, b, /):
        return a * b

    def fail(g):
        raise AssertionError("this rule was not wanted")

    picky.gradient(a=("", lambda g, b: g * b), b=("", fail))
    x, y = leaf(2.0), leaf(5.0)
    picky(x, 5.0).backward()
    assert x.grad.item() == 5.0
    # Both are recorded, one is asked for.
    _, pull = ichikara.vjp(lambda x: picky(x, y), x)
    assert pull()[0].item() == 5.0
    with pytest.raises(AssertionError, match="not wanted"):
        picky(x, y).backward()


def test_a_rule_that_is_stated_again_takes_the_place_of_the_first(defined):
    @op("y = x")
    def same(x, /):
        return x * 1.0

    same.gradient(x=("", lambda g: g))
    x = leaf(2.0)
    same(x).backward()
    same.gradient(x=("", lambda g: 3.0 * g))
    same(x).backward()
    assert x.grad.item() == 4.0


def test_threads_may_sweep_one_graph_at_the_same_time(defined):
    """What a sweep computes with is its own: a graph that is retained may be gone through by several."""
    both = threading.Barrier(2, timeout=10)

    @op("y = (a, b)")
    def pair(a, b, /):
        return a + b

    def first(g):
        both.wait()
        return g

    pair.gradient(a=("", first), b=("", lambda g: g))
    found = {}
    _, pull = ichikara.vjp(pair, 1.0, 1.0)

    def sweep(g):
        found[g] = [part.item() for part in pull(g)]

    threads = [threading.Thread(target=sweep, args=(g,)) for g in (1.0, 2.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {1.0: [1.0, 1.0], 2.0: [2.0, 2.0]}


def test_nothing_is_saved_that_no_rule_names():
    x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    assert (x + y)._node.saved == {}
    product = x * 3.0
    assert [value for value in product._node.saved.values() if isinstance(value, numpy.ndarray)] == []


def test_saved_values_are_freed_by_the_sweep():
    x = leaf(numpy.ones(1000))
    middle = x.exp()
    y = middle.sum()
    kept = weakref.ref(raw(middle))
    node = middle._node
    del middle
    gc.collect()
    assert kept() is not None
    y.backward()
    gc.collect()
    assert kept() is None
    assert node.saved is None
    assert node.inputs is None


def test_an_error_in_a_rule_leaves_things_as_they_were(defined):
    @op("y = x")
    def broken(x, /):
        return x * 1.0

    def fail(g):
        raise ZeroDivisionError("in the rule")

    broken.gradient(x=("", fail))
    x = leaf(2.0)
    y = x * 3 + broken(x)
    with pytest.raises(ZeroDivisionError):
        y.backward()
    assert x.grad is None
    assert not mode.in_rule
    assert mode.grad_enabled
    assert isinstance(ichikara.exp(1.0), Tensor)
    with pytest.raises(ZeroDivisionError):
        (x * broken(x)).backward(create_graph=True)
    assert x.grad is None
    assert mode.grad_enabled


def test_create_graph_records_the_sweep():
    x = leaf(2.0)
    (x**3).backward(create_graph=True)
    first = x.grad
    assert first.requires_grad
    x.grad = None
    first.backward()
    assert x.grad.item() == 12.0


# --- functions of functions -------------------------------------------------------------------------------------------


def test_grad_and_value_and_grad():
    def f(x, y):
        return (x * x * y).sum()

    x, y = numpy.array([1.0, 2.0]), numpy.array([3.0, 4.0])
    assert ichikara.grad(f)(x, y).tolist() == [6.0, 16.0]
    assert ichikara.grad(f, 1)(x, y).tolist() == [1.0, 4.0]
    gx, gy = ichikara.grad(f, (0, 1))(x, y)
    assert (gx.tolist(), gy.tolist()) == ([6.0, 16.0], [1.0, 4.0])
    value, g = ichikara.value_and_grad(f)(x, y)
    assert (value.item(), g.tolist()) == (19.0, [6.0, 16.0])
    assert not value.requires_grad
    assert not g.requires_grad
    g, aux = ichikara.grad(lambda x: ((x * x).sum(), x * 2), has_aux=True)(x)
    assert (g.tolist(), aux.tolist()) == ([2.0, 4.0], [2.0, 4.0])
    (value, aux), g = ichikara.value_and_grad(lambda x: ((x * x).sum(), {"twice": x * 2}), has_aux=True)(x)
    assert value.item() == 5.0
    assert aux["twice"].tolist() == [2.0, 4.0]
    assert not aux["twice"].requires_grad


def test_grad_of_trees():
    def f(parameters, factor=1.0):
        w, (b, c) = parameters["w"], parameters["more"]
        return factor * (w * b + c).sum()

    g = ichikara.grad(f)({"w": [1.0, 2.0], "more": (3.0, [4.0])}, factor=2.0)
    assert list(g) == ["w", "more"]
    assert g["w"].tolist() == [6.0, 6.0]
    assert isinstance(g["more"], tuple)
    assert g["more"][0].item() == 6.0
    assert g["more"][1].tolist() == [4.0]


def test_arguments_that_are_plain_numbers_stay_apart():
    gx, gy = ichikara.grad(lambda x, y: (x * y).sum(), (0, 1))(2.0, [3.0, 4.0])
    assert (gx.shape, gx.item(), gy.tolist()) == ((), 7.0, [2.0, 2.0])
    gradients = ichikara.grad(lambda x, y: x * y, (0, 1))(2.0, 3.0)
    assert isinstance(gradients, tuple)
    assert [g.item() for g in gradients] == [3.0, 2.0]
    value, pull = ichikara.vjp(lambda x, y: x * y, 2.0, [3.0, 4.0])
    assert [g.tolist() for g in pull([1.0, 1.0])] == [7.0, [2.0, 2.0]]
    value, tangent = ichikara.jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 0.0))
    assert (value.item(), tangent.item(), tangent.shape) == (6.0, 3.0, ())


def test_grad_wants_a_single_number():
    with pytest.raises(ValueError, match=r"shape \(2,\).*jacobian\(\)"):
        ichikara.grad(lambda x: x * 2)([1.0, 2.0])


def test_what_does_not_depend_has_zero_gradient():
    assert ichikara.grad(lambda x, y: y * 1.0)(2.0, 3.0).item() == 0.0
    assert ichikara.grad(lambda x: asarray(1.0))([2.0, 3.0]).tolist() == [0.0, 0.0]
    assert ichikara.grad(lambda x: 1.0)(2.0).item() == 0.0
    assert ichikara.hessian(lambda x: x.sum())([1.0, 2.0]).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert ichikara.jacobian(lambda x: asarray([1.0, 2.0, 3.0]))([1.0, 2.0]).tolist() == [[0.0, 0.0]] * 3
    value, tangent = ichikara.jvp(lambda x: asarray([1.0, 2.0]), (1.0,), (1.0,))
    assert (value.tolist(), tangent.tolist()) == ([1.0, 2.0], [0.0, 0.0])


def test_grad_works_inside_no_grad_and_leaves_leaves_alone():
    w = leaf(3.0)
    with ichikara.no_grad():
        g = ichikara.grad(lambda x: w * x * x)(asarray(2.0, dtype="float64"))
        assert not ichikara.is_grad_enabled()
    assert g.item() == 12.0
    assert not g.requires_grad
    x = leaf(2.0)
    assert ichikara.grad(lambda x: x * x)(x).item() == 4.0
    assert x.grad is None
    assert w.grad is None


def test_gradients_nest():
    def f(x):
        return x**4

    second = ichikara.grad(ichikara.grad(f))
    third = ichikara.grad(second)
    assert (second(2.0).item(), third(2.0).item(), ichikara.grad(third)(2.0).item()) == (48.0, 48.0, 24.0)
    assert not third(2.0).requires_grad
    with ichikara.no_grad():
        assert third(2.0).item() == 48.0


def test_perturbations_are_not_confused():
    """The classic: d/dx [x · d/dy (x + y)] is 1, and not 2."""
    grad = ichikara.grad
    assert grad(lambda x: x * grad(lambda y: x + y)(1.0))(1.0).item() == 1.0
    assert grad(lambda x: x * grad(lambda y: x * y)(2.0))(3.0).item() == 6.0
    assert grad(lambda x: grad(lambda y: x * x * y)(2.0))(3.0).item() == 6.0
    assert grad(lambda x: x * grad(lambda x: x * x)(x))(3.0).item() == 12.0


def test_a_value_stays_tied_to_what_is_outside():
    """What value_and_grad, vjp and jvp return beside the gradient depends on outer variables too."""
    grad = ichikara.grad
    assert grad(lambda w: ichikara.value_and_grad(lambda x: x * w)(2.0)[0])(3.0).item() == 2.0
    assert grad(lambda w: ichikara.value_and_grad(lambda x: (x * w, w * w), has_aux=True)(2.0)[0][1])(3.0).item() == 6.0
    assert grad(lambda w: ichikara.vjp(lambda x: x * w, 2.0)[0])(3.0).item() == 2.0
    assert grad(lambda w: ichikara.vjp(lambda x: x * x * w, 2.0)[1]()[0])(3.0).item() == 4.0
    assert grad(lambda w: ichikara.jvp(lambda x: x * w, (2.0,), (1.0,))[0])(3.0).item() == 2.0
    assert grad(lambda w: ichikara.jvp(lambda x: x * x * w, (2.0,), (1.0,))[1])(3.0).item() == 4.0
    assert grad(lambda v: ichikara.jvp(lambda x: x * x, (2.0,), (v,))[1])(3.0).item() == 4.0
    assert grad(lambda w: ichikara.hvp(lambda x: x**3 * w, 2.0, 1.0))(3.0).item() == 12.0


def test_vjp_can_be_pulled_more_than_once():
    y, pull = ichikara.vjp(lambda a, b: a * b, [1.0, 2.0], [3.0, 4.0])
    assert y.tolist() == [3.0, 8.0]
    assert not y.requires_grad
    assert [g.tolist() for g in pull([1.0, 1.0])] == [[3.0, 4.0], [1.0, 2.0]]
    assert [g.tolist() for g in pull([1.0, 0.0])] == [[3.0, 0.0], [1.0, 0.0]]
    with pytest.raises(ValueError, match="shape"):
        pull([1.0])


def network(xp, x, w):
    return xp.sum(xp.tanh(x @ w) ** 2, axis=1)


def test_jvp_is_jaxs(jax):
    random = numpy.random.default_rng(0)
    x, w, dx, dw = (random.standard_normal(shape) for shape in ((3, 4), (4, 2), (3, 4), (4, 2)))
    value, tangent = ichikara.jvp(lambda x, w: network(ichikara, x, w), (x, w), (dx, dw))
    theirs, their_tangent = jax.jvp(lambda x, w: network(jax.numpy, x, w), (x, w), (dx, dw))
    numpy.testing.assert_allclose(value.numpy(), theirs, rtol=1e-12)
    numpy.testing.assert_allclose(tangent.numpy(), their_tangent, rtol=1e-12)
    assert not value.requires_grad
    assert not tangent.requires_grad
    with pytest.raises(ValueError, match="1 arguments and 2 tangents"):
        ichikara.jvp(lambda x: x, (1.0,), (1.0, 2.0))
    with pytest.raises(ValueError, match="a tangent has its argument's shape"):
        ichikara.jvp(lambda x: x * 2, (1.0,), ([1.0, 2.0],))


def test_products_with_and_matrices_of_second_derivatives_are_jaxs(jax):
    random = numpy.random.default_rng(0)
    x, w, v = (random.standard_normal(shape) for shape in ((3, 4), (4, 2), (4, 2)))

    def f(w):
        return network(ichikara, x, w).sum()

    def theirs(w):
        return network(jax.numpy, x, w).sum()

    hessian = jax.jit(jax.hessian(theirs))(w)
    numpy.testing.assert_allclose(ichikara.hessian(f)(w).numpy(), hessian, rtol=1e-10, atol=1e-12)
    product = ichikara.hvp(f, w, v).numpy()
    numpy.testing.assert_allclose(product, numpy.tensordot(hessian, v, 2), rtol=1e-10, atol=1e-12)
    jacobian = ichikara.jacobian(lambda x, w: network(ichikara, x, w), 1)(x, w)
    expected = jax.jit(jax.jacobian(lambda w: network(jax.numpy, x, w)))(w)
    numpy.testing.assert_allclose(jacobian.numpy(), expected, rtol=1e-10, atol=1e-12)
    assert jacobian.shape == (3, 4, 2)


def test_hvp_of_trees():
    product = ichikara.hvp(lambda t: (t["a"] ** 2 * t["b"]).sum(), {"a": 2.0, "b": 3.0}, {"a": 1.0, "b": 0.0})
    assert (product["a"].item(), product["b"].item()) == (6.0, 4.0)


def test_an_empty_jacobian():
    assert ichikara.jacobian(lambda x: x[:0])([1.0, 2.0]).shape == (0, 2)


# --- check_grads ------------------------------------------------------------------------------------------------------


def test_check_grads_accepts_what_is_right():
    ichikara.check_grads(lambda x, y: (x * y).sin(), [0.5, 1.0], [[2.0], [3.0]])
    ichikara.check_grads(lambda x, i: x[i], [0.5, 1.0], numpy.array([1, 1, 0]))
    ichikara.check_grads(lambda x: (x, {"square": x * x}), [0.5, 1.0])
    with pytest.raises(TypeError, match="no floating-point argument"):
        ichikara.check_grads(lambda i: i, [1, 2])


@pytest.fixture
def crooked(defined):
    """a·b, whose rule of b is wrong at one element."""

    @op("y = a b")
    def crooked(a, b, /):
        return a * b

    bump = numpy.array([1.0, 1.0, 1.01])
    return crooked.gradient(a=("", lambda g, b: g * b), b=("", lambda g, a: g * a * bump))


def test_check_grads_names_the_argument_and_the_element(crooked):
    a, b = numpy.array([1.0, 2.0, 3.0]), numpy.array([4.0, 5.0, 6.0])
    with pytest.raises(GradientError, match=r"crooked: .* argument 1 .*furthest off at \(2,\): .*difference quotient"):
        ichikara.check_grads(crooked, a, b)
    ichikara.check_grads(lambda a: crooked(a, b), a)


def test_check_grads_tests_the_second_order(defined):
    @op("y = x^2")
    def cut(x, /):
        return x * x

    cut.gradient(x=("", lambda g, x: 2 * g * asarray(x).detach() if isinstance(x, Tensor) else 2 * g * x))
    ichikara.check_grads(cut, [1.0, 2.0], order=1)
    with pytest.raises(GradientError, match="the gradient of cut"):
        ichikara.check_grads(cut, [1.0, 2.0])


def test_numerical_grad():
    g = ichikara.numerical_grad(lambda x: (x**3).sum(), [[1.0, 2.0]])
    numpy.testing.assert_allclose(g.numpy(), [[3.0, 12.0]], rtol=1e-8)
    assert g.dtype == "float64"


# --- the record of an operation ---------------------------------------------------------------------------------------


def test_a_missing_gradient_is_an_error(defined):
    @op("y = a b")
    def half(a, b, /):
        return a * b

    with pytest.raises(TypeError, match=r"half has the inputs a, b.*stated for a; .*name=None"):
        half.gradient(a=("", lambda g, b: g * b))
    with pytest.raises(TypeError, match="stated for a, c"):
        half.gradient(a=None, c=None)
    with pytest.raises(TypeError, match="no gradient was stated for half"):
        ichikara.autodiff.verify()
    with pytest.raises(TypeError, match="half: the gradient of a names z"):
        half.gradient(a=("", lambda g, z: g * z), b=None)


def test_a_name_is_taken_once(defined):
    with pytest.raises(ValueError, match="an operation named exp already"):
        op("y", name="exp")(lambda x, /: x)
    with pytest.raises(ValueError, match="bound to Tensor already: sum"):
        op("y", name="another", binds="sum")(lambda x, /: x)


def test_wrong_calls_fail_as_pythons_do():
    x = asarray([1.0, 2.0])
    with pytest.raises(TypeError, match="unexpected keyword argument 'axes'"):
        ichikara.sum(x, axes=0)
    with pytest.raises(TypeError, match="missing a required argument: 'shape'"):
        ichikara.reshape(x)
    with pytest.raises(TypeError, match="too many positional arguments"):
        ichikara.tanh(x, x)
    with pytest.raises(TypeError, match="missing a required"):
        ichikara.add(x)
    with pytest.raises(TypeError, match="positional"):
        ichikara.tanh(x=x)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda a, b: a + b, r"add cannot work with a: float32\[2\], b: float32\[3\]: .*broadcast"),
        (lambda a, b: a @ b, r"matmul cannot work with a: float32\[2\], b: float32\[3\]"),
        (
            lambda a, b: ichikara.concat([a, b[None]]),
            r"concat cannot work with arrays: \[float32\[2\], float32\[1, 3\]\]",
        ),
        (lambda a, b: ichikara.stack([a, b]), r"stack cannot work with arrays: \[float32\[2\], float32\[3\]\]"),
        (
            lambda a, b: ichikara.einsum("i,i->", a, b),
            r"einsum cannot work with operands: \[float32\[2\], float32\[3\]\]",
        ),
        (lambda a, b: a.reshape(3, 5), r"reshape cannot work with x: float32\[2\], shape: \(3, 5\)"),
        (lambda a, b: a.sum(axis=3), r"sum cannot work with x: float32\[2\], axis: 3"),
        (lambda a, b: ichikara.mse_loss(a, b), r"predictions have shape \(2,\) and the targets \(3,\)"),
        (lambda a, b: ichikara.einsum("ij,i->", a, b), "'ij' in 'ij,i->' does not name the 1 axes"),
        (lambda a, b: ichikara.einsum("i->", a, b), "1 operands, and 2 were given"),
        (lambda a, b: ichikara.tensordot(a, b, 1), r"axes \(0,\) of \(2,\) do not match axes \(0,\) of \(3,\)"),
        (lambda a, b: ichikara.permute_dims(a, (1,)), "axis 1 does not exist"),
        (lambda a, b: ichikara.concat([]), "concat.* was given no arrays"),
    ],
)
def test_shapes_that_do_not_fit_are_named(call, words):
    with pytest.raises(ValueError, match=words):
        call(asarray([1.0, 2.0]), asarray([1.0, 2.0, 3.0]))


def _of_slices(x):
    """A function of overlapping slices of a tensor, of all of it, and of a slice of a slice."""
    whole, total = (x * x).sum(), 0.0
    for i in range(x.shape[0]):
        total = total + (x[i] * (i + 1.0)).sum() * x[i, 0]
    rows = x[1:]
    return total + whole + (rows[:, 1] * x[[0, 0, 2], 2]).sum() + (rows * x[:-1]).sum() + x[2, 1] ** 3


def test_gradients_of_slices_are_added_up():
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    numbers = numpy.random.default_rng(0).normal(size=(4, 5))
    x = asarray(numbers, requires_grad=True)
    y = _of_slices(x)
    y.backward(retain_graph=True)
    theirs = torch.tensor(numbers, requires_grad=True)
    _of_slices(theirs).backward()
    numpy.testing.assert_allclose(x.grad.numpy(), theirs.grad.numpy(), rtol=1e-12)
    first = x.grad
    y.backward()
    numpy.testing.assert_allclose(x.grad.numpy(), 2 * theirs.grad.numpy(), rtol=1e-12)
    numpy.testing.assert_allclose(first.numpy(), theirs.grad.numpy(), rtol=1e-12)
    ichikara.check_grads(_of_slices, asarray(numbers))
    step = ichikara.stage(lambda x: ichikara.grad(_of_slices)(x))
    for _ in range(3):
        numpy.testing.assert_allclose(step(asarray(numbers)).numpy(), theirs.grad.numpy(), rtol=1e-12)


def test_what_a_slice_is_added_to_is_not_somebody_elses():
    x = asarray([1.0, 2.0, 3.0], requires_grad=True)
    z = asarray([0.0, 0.0, 0.0], requires_grad=True)
    kept = asarray([1.0, 1.0, 1.0])
    y = x + z  # to both the gradient of the sum is passed on as it is
    (y[0] * 10.0 + x[1] * 100.0 + x[2] + (y * kept).sum()).backward()
    assert x.grad.tolist() == [11.0, 101.0, 2.0]
    assert z.grad.tolist() == [11.0, 1.0, 1.0]
    assert kept.tolist() == [1.0, 1.0, 1.0]


def test_unstack_names_an_axis_that_is_not_there():
    with pytest.raises(ValueError, match="axis 5 does not exist"):
        ichikara.unstack(asarray([1.0]), axis=5)


def test_an_index_beyond_is_an_index_error():
    with pytest.raises(IndexError, match=r"getitem cannot work with x: float32\[2\], index: 5"):
        asarray([1.0, 2.0])[5]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: ichikara.cross_entropy(x, [0, 4]), "label 4 was given for 4 classes, 0 to 3"),
        (lambda x: ichikara.cross_entropy(x, [0, -1]), "label -1 was given for 4 classes"),
        (lambda x: ichikara.cross_entropy(x, [0, 1, 2]), r"have labels of shape \(2,\), not \(3,\)"),
        (lambda x: ichikara.cross_entropy(x, [0.0, 1.0]), r"whole numbers, not float32; or give probabilities"),
        (lambda x: ichikara.cross_entropy(x, [0, 1], weight=[1.0, 2.0]), "one number for each of the 4 classes"),
        (lambda x: ichikara.cross_entropy(x, [0, 1], reduction="average"), "unknown reduction 'average'"),
        (lambda x: ichikara.cross_entropy(x, [0, 1], label_smoothing=2), "0 to 1, not 2"),
        (lambda x: ichikara.binary_cross_entropy([1.5], [1.0]), "probabilities from 0 to 1.*apply sigmoid"),
        (lambda x: ichikara.huber_loss(x, x, delta=0), "a number above 0, not 0"),
        (lambda x: ichikara.one_hot([0, 5], 3), "labels from 0 to 5 were given for 3 classes"),
        (lambda x: ichikara.one_hot([0.5]), "class labels are whole numbers"),
        (lambda x: ichikara.gelu(x, approximate="yes"), "approximate is 'none' or 'tanh', not 'yes'"),
    ],
)
def test_losses_say_what_is_wrong(call, words):
    with pytest.raises(ValueError, match=words):
        call(asarray(numpy.ones((2, 4), "float32")))


def test_weights_may_be_lists_and_do_not_widen():
    x = leaf(numpy.ones((2, 4)), dtype="float32")
    for weight in ([1, 2, 3, 4], [1.0, 2.0, 3.0, 4.0], numpy.array([1.0, 2.0, 3.0, 4.0])):
        loss = ichikara.cross_entropy(x, [0, 1], weight=weight)
        assert loss.dtype == "float32"
        assert loss.item() == pytest.approx(numpy.log(4.0), rel=1e-6)
        of_logits = ichikara.binary_cross_entropy_with_logits(x, numpy.ones((2, 4), "float32"), pos_weight=weight)
        assert of_logits.dtype == "float32"


def test_an_operation_knows_itself():
    assert repr(ichikara.tanh) == "<operation tanh>"
    assert repr(ichikara.var) == "<composition var>"
    assert isinstance(ichikara.tanh, Operation)
    assert ichikara.tanh.formula == r"y = \tanh x"
    assert ichikara.tanh.rules["x"].needs == ("g", "y")
    assert "Hyperbolic tangent" in ichikara.tanh.__doc__


# --- traced -----------------------------------------------------------------------------------------------------------


def test_a_traced_tensor_has_no_numbers(jax):
    def ask(question):
        def function(array):
            question(wrap(array, None))
            return array

        jax.jit(function)(numpy.ones(()))

    for question in (float, int, bool, Tensor.item, Tensor.numpy, numpy.asarray):
        with pytest.raises(TypeError, match=r"traced tensor \(shape \(\)\).*use where\(\) instead of if"):
            ask(question)
    ask(lambda t: repr(t))
    ask(lambda t: repr(leaf(1.0) * t))


def test_second_order_under_jit_is_eager(jax):
    random = numpy.random.default_rng(0)
    x, w = random.standard_normal((3, 4)), random.standard_normal((4, 2))

    def hessian(w):
        return raw(ichikara.hessian(lambda w: network(ichikara, x, w).sum())(wrap(w, None)))

    numpy.testing.assert_allclose(jax.jit(hessian)(w), hessian(w), rtol=1e-11, atol=1e-12)


# --- random graphs ----------------------------------------------------------------------------------------------------

_STEPS = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / (b * b + 1.0),
    "matmul": lambda a, b: a @ b,
    "tanh": lambda a, b: a.tanh(),
    "sigmoid": lambda a, b: b.sigmoid(),
    "exp": lambda a, b: (a * 0.1).tanh().exp(),
    "transpose": lambda a, b: b.mT,
    "rows": lambda a, b: a[[2, 0, 0]] + b[0],
    "softmax": lambda a, b: a.softmax(-1),
    "total": lambda a, b: a + b.sum(),
}


@given(st.lists(st.tuples(st.sampled_from(sorted(_STEPS)), st.integers(0, 99), st.integers(0, 99)), max_size=12))
def test_random_graphs_have_pytorchs_gradients(steps):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test, and is not installed")
    numbers = numpy.random.default_rng(0).uniform(-1.0, 1.0, (2, 3, 3))

    def run(inputs):
        values = list(inputs)
        for name, i, j in steps:
            values.append(_STEPS[name](values[i % len(values)], values[j % len(values)]).tanh())
        return sum((value * (k + 1.0)).sum() for k, value in enumerate(values))

    ours, theirs = [leaf(a) for a in numbers], [torch.tensor(a, requires_grad=True) for a in numbers]
    value, expected = run(ours), run(theirs)
    value.backward()
    expected.backward()
    assert value.item() == pytest.approx(expected.item(), rel=1e-10, abs=1e-12)
    for a, b in zip(ours, theirs, strict=True):
        numpy.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("view", r"has no 'view'; ichikara has t.reshape\(shape\)"),
        ("permute", "permute_dims"),
        ("unsqueeze", "expand_dims"),
        ("transpose", r"permute_dims\(t, axes\), or t.mT"),
        ("clone", "detach"),
        ("to", "astype"),
        ("cuda", "leave it out"),
        ("add_", "never changed in place"),
        ("tril", r"it is a function: ichikara.tril\(t"),
    ],
)
def test_pytorchs_name_of_a_method_is_answered_with_ours(name, words):
    with pytest.raises(AttributeError, match=words):
        getattr(leaf([1.0]), name)
    assert not hasattr(leaf([1.0]), name)
    assert name not in dir(leaf([1.0]))


def test_an_option_by_pytorchs_name_or_at_its_default():
    x = leaf([1.0, -2.0])
    assert ichikara.relu(x, inplace=False).tolist() == [1.0, 0.0]
    assert ichikara.mse_loss(x, x, size_average=None, reduce=None).item() == 0.0
    with pytest.raises(ValueError, match="relu takes inplace=False alone, and True was given: a tensor is never"):
        ichikara.relu(x, inplace=True)
    with pytest.raises(TypeError, match=r"softmax.* has no dim: here its name is axis"):
        ichikara.softmax(x, dim=0)
    with pytest.raises(TypeError, match="unexpected keyword argument 'inplaced'"):
        ichikara.relu(x, inplaced=False)
