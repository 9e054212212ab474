"""Module and the containers: what is registered, found, saved, loaded and refused."""

import copy
import doctest
import importlib
import pkgutil
import subprocess
import sys
import threading

import numpy as np
import pytest

import ichikara
from ichikara import nn


class Block(nn.Module):
    """Two layers, a running mean that is saved and a counter that is not."""

    def __init__(self, width=3):
        super().__init__()
        self.width = width
        self.scale = nn.Parameter(np.ones(width, dtype="float32"))
        self.register_buffer("mean", np.zeros(width))
        self.register_buffer("seen", np.asarray([0]), persistent=False)
        self.first = nn.Linear(width, width)
        self.shift = nn.Parameter(np.zeros(width, dtype="float32"))
        self.second = nn.Sequential(nn.Linear(width, 2, bias=False), nn.Tanh())

    def forward(self, x, *, doubled=False):
        y = self.second(self.first(x * self.scale + self.shift - self.mean))
        return y * 2 if doubled else y


def test_all_doctests_of_the_floor_hold():
    failed = attempted = 0
    for info in pkgutil.iter_modules(nn.__path__, "ichikara.nn."):
        result = doctest.testmod(importlib.import_module(info.name))
        failed, attempted = failed + result.failed, attempted + result.attempted
    assert failed == 0
    assert attempted > 70


def test_importing_the_floor_stays_light():
    code = (
        "import sys, ichikara.nn; print([m for m in ('scipy', 'sklearn', 'jax', 'numba', 'torch') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


# --- registering and finding ------------------------------------------------------------------------------------------


def test_names_come_in_pytorchs_order():
    block = Block()
    names = ["scale", "shift", "first.weight", "first.bias", "second.0.weight"]
    assert [name for name, _ in block.named_parameters()] == names
    assert [name for name, _ in block.named_parameters("net")] == [f"net.{name}" for name in names]
    assert [name for name, _ in block.named_parameters(recurse=False)] == ["scale", "shift"]
    assert [p.shape for p in block.parameters()] == [(3,), (3,), (3, 3), (3,), (2, 3)]
    assert [name for name, _ in block.named_buffers()] == ["mean", "seen"]
    assert [b.shape for b in block.buffers()] == [(3,), (1,)]
    assert list(block.state_dict()) == ["scale", "shift", "mean", *names[2:]]
    assert [name for name, _ in block.named_modules()] == ["", "first", "second", "second.0", "second.1"]
    assert [name for name, _ in block.named_children()] == ["first", "second"]
    assert [type(m).__name__ for m in block.children()] == ["Linear", "Sequential"]
    assert len(list(block.modules())) == 5
    assert "scale" in dir(block)
    assert "second" in dir(block)


def test_a_part_is_found_by_its_name():
    block = Block()
    assert block.get_submodule("second.0") is block.second[0]
    assert block.get_submodule("") is block
    with pytest.raises(AttributeError, match=r"Block has no module 'secnd' \(of 'secnd.0'\); did you mean 'second'"):
        block.get_submodule("secnd.0")
    with pytest.raises(AttributeError, match=r"Sequential has no module '7' .* it has: 0, 1"):
        block.get_submodule("second.7")


def test_what_is_used_twice_counts_once_and_is_saved_under_both_names():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(2, 2, bias=False)
            self.b = nn.Linear(2, 2, bias=False)
            self.b.weight = self.a.weight
            self.again = self.a

        def forward(self, x):
            return self.again(self.b(self.a(x)))

    tied = Tied()
    assert [name for name, _ in tied.named_parameters()] == ["a.weight"]
    assert len(list(tied.named_parameters(remove_duplicate=False))) == 3
    assert [name for name, _ in tied.named_modules()] == ["", "a", "b"]
    assert list(tied.state_dict()) == ["a.weight", "b.weight", "again.weight"]
    other = copy.deepcopy(tied)
    assert other.a.weight is other.b.weight is other.again.weight
    assert other.a.weight is not tied.a.weight
    tied.load_state_dict(tied.state_dict())
    g = ichikara.grad(lambda w: nn.functional_call(tied, {"a.weight": w}, [1.0, 2.0]).sum())([[1.0, 0.0], [0.0, 1.0]])
    assert g.tolist() == [[3.0, 6.0], [3.0, 6.0]]  # all three places count: the derivative of (W³ x) at W = I


def test_assigning_replaces_whatever_had_the_name():
    m = nn.Module()
    m.a = 1
    m.a = nn.Parameter([1.0])
    assert list(m.state_dict()) == ["a"]
    m.a = nn.ReLU()
    assert list(m.state_dict()) == []
    assert isinstance(m.a, nn.ReLU)
    m.a = None
    assert m.a is None
    assert list(m.children()) == []
    del m.a
    assert not hasattr(m, "a")
    m.a = 5
    assert m.a == 5
    with pytest.raises(AttributeError):
        del m.b


def test_a_registered_name_takes_only_its_kind():
    block = Block()
    with pytest.raises(TypeError, match=r"Block.scale is a parameter, and ndarray was assigned.*scale.data = array"):
        block.scale = np.ones(3)
    with pytest.raises(TypeError, match=r"Block.scale is a parameter, and Tensor was assigned"):
        block.scale = ichikara.ones(3)
    with pytest.raises(TypeError, match=r"Block.first is a module, and int was assigned to it"):
        block.first = 3
    with pytest.raises(TypeError, match=r"Block.mean is a buffer, and list was assigned"):
        block.mean = [1.0]
    block.mean = ichikara.ones(3)
    assert dict(block.named_buffers())["mean"].tolist() == [1, 1, 1]
    block.scale = None
    assert "scale" not in block.state_dict()


def test_names_that_cannot_be_registered():
    m = nn.Linear(2, 2)
    with pytest.raises(ValueError, match=r"without a dot, not 'a.b'"):
        m.register_parameter("a.b", None)
    with pytest.raises(ValueError, match="without a dot, not ''"):
        m.register_module("", nn.ReLU())
    with pytest.raises(ValueError, match="a buffer of Linear cannot be named 'forward'"):
        m.register_buffer("forward", None)
    with pytest.raises(ValueError, match="a parameter of Linear cannot be named 'train'"):
        m.train = nn.Parameter([1.0])
    with pytest.raises(ValueError, match="Linear has an attribute 'weight' already"):
        m.register_buffer("weight", None)
    with pytest.raises(ValueError, match="Linear has an attribute 'in_features' already"):
        m.add_module("in_features", nn.ReLU())
    with pytest.raises(TypeError, match="'w' is to be a Parameter or None, not Tensor"):
        m.register_parameter("w", ichikara.ones(3))
    with pytest.raises(TypeError, match=r"ReLU is a class of modules; make a module of it: ReLU\("):
        m.register_module("act", nn.ReLU)
    with pytest.raises(TypeError, match=r"a module is expected here, .*, not function"):
        nn.Sequential(nn.Linear(2, 2), lambda x: x)


def test_forgetting_the_base_class_is_named():
    class Eager(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(2, 2)

    class Buffered(nn.Module):
        def __init__(self):
            self.register_buffer("b", None)

    class Lazy(nn.Module):
        def __init__(self):
            self.n = 3

        def forward(self, x):
            return x

    for kind in (Eager, Buffered):
        with pytest.raises(AttributeError, match=r"before Module.__init__\(\) ran; make super\(\).__init__"):
            kind()
    with pytest.raises(AttributeError, match=r"Lazy .* because Module.__init__\(\) has not run; make super"):
        Lazy()([1.0])


def test_an_unknown_attribute_names_the_nearest():
    block = Block()
    with pytest.raises(AttributeError, match="Block has no attribute 'scael'; did you mean 'scale'"):
        block.scael  # noqa: B018
    with pytest.raises(AttributeError, match=r"^Block has no attribute 'qqqqqq'$"):
        block.qqqqqq  # noqa: B018
    assert not hasattr(block, "__array__")


def test_a_property_that_fails_says_why_itself():
    class Odd(nn.Module):
        @property
        def depth(self):
            return self.missing_part + 1

    with pytest.raises(AttributeError, match="missing_part"):
        Odd().depth  # noqa: B018


def test_a_circle_is_refused_where_it_would_be_closed():
    outer, inner = nn.Module(), nn.Module()
    outer.inner = nn.Sequential(nn.ModuleList([inner]))
    with pytest.raises(ValueError, match=r"Module.owner would make a circle: .* put it in a tuple"):
        inner.owner = outer
    with pytest.raises(ValueError, match="circle"):
        inner.me = inner
    modules = nn.ModuleList([nn.ReLU()])
    for closing in (modules.append, lambda m: modules.insert(0, m), lambda m: modules.extend([m])):
        with pytest.raises(ValueError, match="circle"):
            closing(modules)
    assert [name for name, _ in modules.named_children()] == ["0"]
    assert isinstance(modules[0], nn.ReLU)
    inner.owner = (outer,)
    assert len(list(outer.modules())) == 4
    assert "Module()" in repr(outer)


# --- calling ----------------------------------------------------------------------------------------------------------


def test_arrays_and_lists_become_tensors_and_other_arguments_stay():
    seen = {}

    class Look(nn.Module):
        def forward(self, *args, **kwargs):
            seen.update(args=args, kwargs=kwargs)

    x = ichikara.ones(2)
    pair = (x, x)
    Look()(
        np.ones(2), [1, 2], [[1.0], [2.0]], x, 3, 2.5, "mean", None, pair, [x], np.float64(2), [], mask=np.ones(2) > 0
    )
    kinds = [type(a).__name__ for a in seen["args"]]
    assert kinds == [*["Tensor"] * 4, "int", "float", "str", "NoneType", "tuple", "list", "float64", "list"]
    assert seen["args"][0].dtype == "float64"
    assert seen["args"][2].dtype == "float32"
    assert seen["args"][3] is x
    assert seen["args"][8] is pair
    assert seen["kwargs"]["mask"].dtype == "bool"


def test_an_array_of_another_library_is_refused_in_words():
    class Foreign:
        def __array__(self, dtype=None, copy=None):
            return np.ones(3)

    with pytest.raises(TypeError, match=r"computes with NumPy arrays, and this is a .*Foreign; convert it first"):
        nn.ReLU()(Foreign())


def test_a_module_without_forward_says_so():
    for module in (nn.Module(), nn.ModuleList([nn.ReLU()]), nn.ModuleDict()):
        with pytest.raises(NotImplementedError, match=f"{type(module).__name__} cannot be called"):
            module([1.0])


def test_hooks_look_on_and_step_in():
    layer, seen = nn.ReLU(), []
    with layer.register_forward_hook(lambda module, args, output: seen.append((module, args, output))):
        y = layer([-1.0, 2.0])
    assert seen[0][0] is layer
    assert seen[0][1][0].tolist() == [-1, 2]
    assert seen[0][2] is y
    layer([1.0])
    assert len(seen) == 1  # the block is over

    before = layer.register_forward_pre_hook(lambda module, args: args[0] * 10)
    pair = layer.register_forward_pre_hook(lambda module, args: (args[0] + 1,))
    after = layer.register_forward_hook(lambda module, args, output: output + 0.5)
    assert layer([1.0]).tolist() == [11.5]  # in the order in which they were registered
    before.remove()
    before.remove()
    assert layer([1.0]).tolist() == [2.5]
    pair.remove()
    after.remove()
    assert layer([1.0]).tolist() == [1.0]
    with pytest.raises(TypeError, match="a hook is a function, not int"):
        layer.register_forward_hook(3)


def test_a_hook_may_remove_itself_while_it_runs():
    layer, seen = nn.ReLU(), []
    handle = layer.register_forward_hook(lambda *_: (seen.append("first"), handle.remove(), None)[-1])
    layer.register_forward_hook(lambda *_: seen.append("second"))
    layer([1.0])
    layer([1.0])
    assert seen == ["first", "second", "second"]


def test_modules_are_called_in_several_threads():
    block = Block().eval()
    x = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
    expected, results = block(x).numpy(), []
    threads = [threading.Thread(target=lambda: results.append(block(x).numpy())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert all(np.array_equal(y, expected) for y in results)


# --- switching --------------------------------------------------------------------------------------------------------


def test_training_and_evaluation_reach_every_part_and_what_overrides_train():
    class Frozen(nn.Dropout):
        def train(self, mode=True):
            return super().train(False)

    net = nn.Sequential(nn.Dropout(), nn.Sequential(Frozen(), nn.Dropout()))
    assert net.train() is net
    assert [m.training for m in net.modules()] == [True, True, True, False, True]
    assert net.eval() is net
    assert not any(m.training for m in net.modules())
    with pytest.raises(TypeError, match=r"train\(\) takes True or False, not str"):
        net.train("yes")


def test_freezing_and_forgetting_gradients():
    block = Block()
    block([[1.0, 2.0, 3.0]]).sum().backward()
    assert all(p.grad is not None for p in block.parameters())
    block.zero_grad()
    assert all(p.grad is None for p in block.parameters())
    assert block.first.requires_grad_(False) is block.first
    block([[1.0, 2.0, 3.0]]).sum().backward()
    assert {n for n, p in block.named_parameters() if p.grad is not None} == {"scale", "shift", "second.0.weight"}
    block.requires_grad_(False)
    assert not block([[1.0, 2.0, 3.0]]).requires_grad
    block.requires_grad_()
    assert block([[1.0, 2.0, 3.0]]).requires_grad


def test_apply_reaches_the_innermost_first():
    seen = []
    block = Block()
    assert block.apply(lambda m: seen.append(type(m).__name__)) is block
    assert seen == ["Linear", "Linear", "Tanh", "Sequential", "Block"]


def test_to_changes_types_and_keeps_the_parameters():
    block = Block()
    block.to(dtype="float32")
    kept, buffer = list(block.parameters()), block.mean
    block([[1.0, 2.0, 3.0]]).sum().backward()
    numbers = [p.numpy() for p in kept]
    assert block.to("float64") is block
    assert all(a is b for a, b in zip(block.parameters(), kept, strict=True))
    assert {str(p.dtype) for p in kept} | {str(p.grad.dtype) for p in kept} | {str(block.mean.dtype)} == {"float64"}
    assert all(np.array_equal(p.numpy(), n) for p, n in zip(kept, numbers, strict=True))
    assert block.seen.dtype == "int64"
    assert buffer.dtype == "float32"  # whoever else holds the tensor keeps it as it was
    assert block(np.ones((1, 3))).dtype == "float64"
    block.zero_grad()
    block(np.ones((1, 3))).sum().backward()
    assert {str(p.grad.dtype) for p in kept} == {"float64"}
    for wrong in ("int64", bool):
        with pytest.raises(TypeError, match="a module's numbers are floating-point, such as 'float64', not"):
            block.to(wrong)


def test_an_old_graph_is_refused_after_to():
    layer = nn.Linear(2, 1)
    y = layer(ichikara.asarray([1.0, 2.0], requires_grad=True)).sum()
    layer.to("float64")
    with pytest.raises(RuntimeError, match="was changed in place"):
        y.backward()
