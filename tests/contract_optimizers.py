"""The whole contract of an optimiser in one call: PyTorch's numbers and state at each step, and its promises."""

import json

import numpy
import pytest

import ichikara

# What the tests must not mix into one: a matrix, a vector, a single number, nothing at all, and one more to leave out.
SHAPES = {"matrix": (3, 4), "vector": (5,), "number": (), "nothing": (0, 2), "now and then": (2, 2)}
STEPS = 20
TOLERANCES = {"float64": 1e-12, "float32": 2e-6}


def start(dtype):
    """The parameters' numbers, the same at every call."""
    rng = numpy.random.default_rng(7)
    return [numpy.asarray(rng.normal(size=shape), dtype=dtype) for shape in SHAPES.values()]


def gradients(dtype):
    """Every step's gradients: of all sizes, some components zero, one parameter without any in every third step."""
    rng = numpy.random.default_rng(8)
    for step in range(STEPS):
        made = [numpy.asarray(rng.normal(size=s) * 10 ** rng.uniform(-3, 1), dtype=dtype) for s in SHAPES.values()]
        made[0][0, step % 4] = 0
        yield [None if name == "now and then" and step % 3 == 0 else g for name, g in zip(SHAPES, made, strict=True)]


def tensors(dtype):
    return [ichikara.asarray(array, requires_grad=True) for array in start(dtype)]


def give(parameters, step_gradients):
    for parameter, g in zip(parameters, step_gradients, strict=True):
        parameter.grad = None if g is None else ichikara.asarray(g)


def check_optimizer(ours, theirs, options, staged=True):
    """Raise AssertionError where ``ours(params, **options)`` is not as PyTorch's ``theirs``, or breaks a promise.

    ``theirs`` may be None, for an option that PyTorch does not have; ``staged``, whether the rule is traced by JAX too.
    """
    for dtype in TOLERANCES:
        if theirs is not None:
            check_numbers(ours, theirs, options, dtype)
        check_resumes(ours, options, dtype)
        check_rule(ours, options, dtype)
        if staged and (dtype == "float64" or not options):  # to compile each row in both types takes long
            check_staged(ours, options, dtype)


def check_numbers(ours, theirs, options, dtype):
    """Parameters and every array of the state are PyTorch's after each step."""
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    mine = tensors(dtype)
    their = [torch.nn.Parameter(torch.tensor(array)) for array in start(dtype)]
    optimizer, oracle = ours(mine, **options), theirs(their, **options, foreach=False)
    shared = optimizer.defaults.keys() - {"l1"}
    assert {name: optimizer.defaults[name] for name in shared} == {name: oracle.defaults[name] for name in shared}
    been = [numpy.abs(array).max(initial=0) for array in start(dtype)]  # how large each parameter has been so far
    for step, step_gradients in enumerate(gradients(dtype)):
        give(mine, step_gradients)
        for parameter, g in zip(their, step_gradients, strict=True):
            parameter.grad = None if g is None else torch.tensor(g)
        optimizer.step()
        oracle.step()
        for i, (name, parameter, expected) in enumerate(zip(SHAPES, mine, their, strict=True)):
            expected = expected.detach().numpy()
            been[i] = max(been[i], numpy.abs(expected).max(initial=0))
            assert_close(parameter.numpy(), expected, dtype, f"{name} after step {step}", been[i])
        state, expected = optimizer.state_dict()["state"], oracle.state_dict()["state"]
        expected = {i: memory for i, memory in expected.items() if memory and memory.get("step") != 0}
        assert state.keys() == expected.keys()
        for i, memory in state.items():
            assert memory.keys() == {name for name, value in expected[i].items() if value is not None}
            for name, value in memory.items():
                assert_close(value, expected[i][name].numpy(), dtype, f"{name} of {i} after step {step}")
    # PyTorch goes on from our state as from its own, and we from PyTorch's.
    saved = oracle.state_dict()
    oracle.load_state_dict(
        {
            "state": {
                i: {name: torch.tensor(numpy.array(value)) for name, value in memory.items()}
                for i, memory in optimizer.state_dict()["state"].items()
            },
            "param_groups": saved["param_groups"],
        }
    )
    oracle.step()
    for memory in saved["state"].values():
        memory.update({name: value.numpy() for name, value in memory.items() if value is not None})
    other = ours(mine, **options)
    other.load_state_dict(saved)
    other.step()
    for name, parameter, expected, scale in zip(SHAPES, mine, their, been, strict=True):
        assert_close(parameter.numpy(), expected.detach().numpy(), dtype, f"{name} after the exchange of states", scale)


def check_resumes(ours, options, dtype):
    """Saved in the middle and loaded into a new optimiser, through JSON's idea of keys too, it goes on bit for bit."""
    straight, stopped = tensors(dtype), tensors(dtype)
    one, two = ours(straight, **options), ours(stopped, **options)
    for step, step_gradients in enumerate(gradients(dtype)):
        give(straight, step_gradients)
        one.step()
        if step == STEPS // 2:
            saved = two.state_dict()
            before = {i: {k: v.copy() for k, v in memory.items()} for i, memory in saved["state"].items()}
            groups = json.loads(json.dumps(saved["param_groups"]))
            stopped = [ichikara.asarray(parameter.numpy(), requires_grad=True) for parameter in stopped]
            two = ours(stopped)
            two.load_state_dict({"state": {str(i): memory for i, memory in before.items()}, "param_groups": groups})
            assert [g.keys() - {"params"} for g in two.param_groups] == [
                g.keys() - {"params"} for g in one.param_groups
            ]
        give(stopped, step_gradients)
        two.step()
    for a, b in zip(straight, stopped, strict=True):
        numpy.testing.assert_array_equal(a.numpy(), b.numpy())
        assert a.dtype == b.dtype == dtype
    for i, memory in one.state_dict()["state"].items():
        other = two.state_dict()["state"][i]
        assert memory.keys() == other.keys()
        for name in memory:
            numpy.testing.assert_array_equal(memory[name], other[name])
            assert memory[name].dtype == other[name].dtype
    for i, memory in before.items():  # what was saved is a record of that moment
        for name, value in memory.items():
            numpy.testing.assert_array_equal(saved["state"][i][name], value)


def check_rule(ours, options, dtype):
    """The rule changes none of its arguments, keeps types and shapes, and starts from {} as from its first state."""
    optimizer = ours(tensors(dtype), **options)
    known = {name: optimizer.defaults[name] for name in optimizer.defaults}
    for parameter, g, shape in zip(start(dtype), next(gradients(dtype)), SHAPES.values(), strict=True):
        g = numpy.zeros(shape, dtype) if g is None else g
        state, first = {}, optimizer.initial_state(parameter, known)
        for _ in range(3):
            for array in (parameter, g, *state.values(), *first.values()):
                array.flags.writeable = False
            kept = [(array, array.copy()) for array in (parameter, g, *state.values())]
            new, state = ours.rule(parameter, g, state, **known)
            again, first = ours.rule(parameter, g, first, **known)
            for array, copy in kept:
                numpy.testing.assert_array_equal(array, copy)
            numpy.testing.assert_array_equal(again, new)
            assert state.keys() == first.keys()
            assert not any(numpy.shares_memory(array, g) for array in (new, *state.values()))
            for name, array in {"parameter": new, **state}.items():
                assert isinstance(array, numpy.ndarray)
                assert array.dtype == ("int32" if name == "step" else dtype)
                assert array.shape == (() if name == "step" else shape)
            for name, array in state.items():
                numpy.testing.assert_array_equal(array, first[name])
            parameter = new


def check_staged(ours, options, dtype):
    """Traced by JAX, with the rate and the other numbers traced too, the rule gives the eager numbers."""
    jax = pytest.importorskip("jax", reason="JAX is what a rule is staged with")
    optimizer = ours(tensors(dtype), **options)
    # Of the betas only the first is ever moved (by the one-cycle schedule): of the second, 1 - 0.999 is needed exactly.
    moving = {k: v for k, v in optimizer.defaults.items() if k == "lr" or (k in ("momentum", "l1") and v)}
    if "betas" in optimizer.defaults:
        moving["beta1"] = optimizer.defaults["betas"][0]

    def options(moving):
        merged = {**optimizer.defaults, **moving}
        if "beta1" in merged:
            merged["betas"] = (merged.pop("beta1"), merged["betas"][1])
        return merged

    def update(parameters, gradients, states, options):
        made = [ours.rule(*given, **options) for given in zip(parameters, gradients, states, strict=True)]
        return tuple(zip(*made, strict=True))

    with jax.enable_x64(dtype == "float64"):
        staged = jax.jit(lambda *given: update(*given[:3], options(given[3])))
        given = next(gradients(dtype))[:4:2]  # the matrix and the number
        begin = start(dtype)[:4:2]
        eager = traced = begin, [optimizer.initial_state(parameter, optimizer.defaults) for parameter in begin]
        for _ in range(3):
            eager = update(eager[0], given, eager[1], optimizer.defaults)
            traced = staged(traced[0], given, traced[1], moving)
            for mine, theirs, state, traced_state in zip(eager[0], traced[0], eager[1], traced[1], strict=True):
                assert theirs.dtype == dtype
                assert_close(numpy.asarray(theirs), mine, dtype, "staged parameter")
                assert traced_state.keys() == state.keys()
                for name, value in state.items():
                    assert traced_state[name].dtype == value.dtype
                    assert_close(numpy.asarray(traced_state[name]), value, dtype, f"staged {name}")


def assert_close(actual, expected, dtype, what, been=0.0):
    """Equal up to rounding, relative to the largest number that went in: what fell from 1 to 0.001 was rounded at 1."""
    assert actual.shape == expected.shape
    tolerance = TOLERANCES[dtype]
    largest = max(been, numpy.abs(expected).max(initial=0))
    numpy.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance * largest, err_msg=what)
