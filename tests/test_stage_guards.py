"""What a capture depends on: whatever changes after it, a staged function does what the function does now."""

import gc
import types
import warnings
from functools import partial

import numpy
import pytest

import ichikara
from ichikara import nn, ops, optim
from ichikara.autodiff import asarray
from ichikara.stage import stage

RANDOM = numpy.random.default_rng(0)


def normal(*shape):
    return RANDOM.normal(size=shape).astype("float32")


def outcome(function, *inputs):
    """The numbers that a function gives, or the kind of error that it raises."""
    ichikara.seed(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = function(*inputs)
    except Exception as error:
        return type(error)
    return [asarray(leaf).detach().numpy() for leaf in ichikara.autodiff.flatten(result)[0] if leaf is not None]


def agree(ours, theirs):
    if isinstance(theirs, type) or isinstance(ours, type):
        assert ours is theirs
        return
    assert [a.shape for a in ours] == [b.shape for b in theirs]
    for a, b in zip(ours, theirs, strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def check(function, changes, *inputs):
    """A staged function agrees with the function itself before and after each change."""
    staged = stage(function)
    for change in (lambda: None, *changes):
        agree(outcome(staged, *inputs), outcome(function, *inputs))
        agree(outcome(staged, *inputs), outcome(function, *inputs))
        change()
        agree(outcome(staged, *inputs), outcome(function, *inputs))
        agree(outcome(staged, *inputs), outcome(function, *inputs))
    return staged


# --- modules ----------------------------------------------------------------------------------------------------------

ROWS, IMAGES, SERIES = normal(6, 5), normal(3, 4, 6, 6), normal(4, 3, 5)
LABELS, BITS = RANDOM.integers(0, 5, 6), RANDOM.integers(0, 2, (6, 5)).astype("float32")
WORDS = RANDOM.integers(0, 7, (4, 3))

# A layer of every kind, and its inputs.
LAYERS = {
    "AdaptiveAvgPool2d": (lambda: nn.AdaptiveAvgPool2d(3), IMAGES),
    "AdaptiveMaxPool2d": (lambda: nn.AdaptiveMaxPool2d(3), IMAGES),
    "AdaptiveAvgPool1d": (lambda: nn.AdaptiveAvgPool1d(2), SERIES),
    "AvgPool1d": (lambda: nn.AvgPool1d(2, padding=1), SERIES),
    "AvgPool2d": (lambda: nn.AvgPool2d(2, padding=1), IMAGES),
    "BCELoss": (lambda: nn.BCELoss(), BITS * 0.5 + 0.2, BITS),
    "BCEWithLogitsLoss": (lambda: nn.BCEWithLogitsLoss(), ROWS, BITS),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(5), ROWS),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(4), IMAGES),
    "Conv1d": (lambda: nn.Conv1d(3, 4, 3, padding=1), SERIES),
    "Conv2d": (lambda: nn.Conv2d(4, 4, 3, padding=1), IMAGES),
    "ConvTranspose1d": (lambda: nn.ConvTranspose1d(3, 4, 3, padding=1), SERIES),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(4, 4, 3, padding=1), IMAGES),
    "CrossEntropyLoss": (lambda: nn.CrossEntropyLoss(label_smoothing=0.1), ROWS, LABELS),
    "Dropout": (lambda: nn.Dropout(0.3), ROWS),
    "Dropout1d": (lambda: nn.Dropout1d(0.3), SERIES),
    "Dropout2d": (lambda: nn.Dropout2d(0.3), IMAGES),
    "ELU": (lambda: nn.ELU(), ROWS),
    "Embedding": (lambda: nn.Embedding(7, 5, padding_idx=1), WORDS),
    "Flatten": (lambda: nn.Flatten(), IMAGES),
    "GELU": (lambda: nn.GELU(), ROWS),
    "GRU": (lambda: nn.GRU(5, 5, num_layers=2, dropout=0.2), SERIES),
    "GRUCell": (lambda: nn.GRUCell(5, 4), ROWS),
    "GroupNorm": (lambda: nn.GroupNorm(2, 4), IMAGES),
    "HuberLoss": (lambda: nn.HuberLoss(delta=0.4), ROWS, BITS),
    "InstanceNorm1d": (lambda: nn.InstanceNorm1d(3), SERIES),
    "InstanceNorm2d": (lambda: nn.InstanceNorm2d(4, affine=True, track_running_stats=True), IMAGES),
    "LSTM": (lambda: nn.LSTM(5, 5, bidirectional=True), SERIES),
    "L1Loss": (lambda: nn.L1Loss(), ROWS, BITS),
    "LSTMCell": (lambda: nn.LSTMCell(5, 4), ROWS),
    "LayerNorm": (lambda: nn.LayerNorm(5), ROWS),
    "LeakyReLU": (lambda: nn.LeakyReLU(0.2), ROWS),
    "Linear": (lambda: nn.Linear(5, 4), ROWS),
    "MSELoss": (lambda: nn.MSELoss(), ROWS, BITS),
    "MaxPool1d": (lambda: nn.MaxPool1d(2), SERIES),
    "MaxPool2d": (lambda: nn.MaxPool2d(2), IMAGES),
    "MultiheadAttention": (lambda: nn.MultiheadAttention(5, 1, dropout=0.1), SERIES, SERIES, SERIES),
    "NLLLoss": (lambda: nn.NLLLoss(), ROWS, LABELS),
    "RMSNorm": (lambda: nn.RMSNorm(5), ROWS),
    "RNN": (lambda: nn.RNN(5, 5), SERIES),
    "RNNCell": (lambda: nn.RNNCell(5, 4), ROWS),
    "Softmax": (lambda: nn.Softmax(1), ROWS),
    "LogSoftmax": (lambda: nn.LogSoftmax(1), ROWS),
    "Softplus": (lambda: nn.Softplus(), ROWS),
    "Step": (lambda: nn.Step(), ROWS),
    "PositionalEncoding": (lambda: nn.PositionalEncoding(6), normal(2, 3, 6)),
    "LearnedPositionalEncoding": (lambda: nn.LearnedPositionalEncoding(6), normal(2, 3, 6)),
    "Residual": (lambda: nn.Residual(nn.Linear(5, 5)), ROWS),
    "TransformerEncoderLayer": (lambda: nn.TransformerEncoderLayer(6, 2, 8), normal(2, 3, 6)),
    "Unflatten": (lambda: nn.Unflatten(1, (1, 4)), IMAGES),
    "Upsample": (lambda: nn.Upsample(scale_factor=2), IMAGES),
    "a fused pair": (lambda: nn.Sequential(nn.BatchNorm1d(5), nn.LeakyReLU(0.2)), ROWS),
}


def without_arguments(name):
    """Whether a layer is made without arguments and takes any rows."""
    try:
        return isinstance(getattr(nn, name)()(asarray(ROWS)), ichikara.Tensor)
    except (TypeError, NotImplementedError, AttributeError):
        return False


LAYERS |= {name: (getattr(nn, name), ROWS) for name in nn.__all__ if name not in LAYERS and without_arguments(name)}
OTHER_WORDS = ("mean", "sum", "none", "relu", "tanh", "zeros", "reflect", "circular", "erf", "nearest", "bilinear")


def parts_of(layer):
    """The names and modules of a layer, of each kind one."""
    return {type(part): (name, part) for name, part in layer.named_modules()}.values()


def others(value):
    """Values that may take the place of an attribute's."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1]
    if isinstance(value, float):
        return [value * 0.5 + 0.1, 0.0]
    if isinstance(value, str):
        return [word for word in OTHER_WORDS if word != value][:6]
    if isinstance(value, tuple):
        return [tuple(part + 1 if isinstance(part, int) else part for part in value)]
    return [1] if value is None else []


@pytest.mark.parametrize("name", LAYERS)
def test_every_attribute_of_a_layer_counts(name):
    make, *inputs = LAYERS[name]
    inputs = [asarray(x) for x in inputs]
    for part, _ in parts_of(make()):
        for attribute, value in [*vars(make().get_submodule(part)).items()]:
            if attribute.startswith("_") or attribute == "generator":
                continue
            layer = make()
            held = layer.get_submodule(part)
            changes = [partial(setattr, held, attribute, other) for other in others(value)]
            changes += [partial(delattr, held, attribute)] if attribute != "training" else []
            check(layer, changes, *inputs)


@pytest.mark.parametrize("name", LAYERS)
def test_everything_that_is_registered_with_a_layer_counts(name):
    make, *inputs = LAYERS[name]
    inputs = [asarray(x) for x in inputs]
    for part, one in parts_of(make()):
        for registered in [*one._parameters, *one._buffers]:
            layer = make()
            held = layer.get_submodule(part)
            now = getattr(held, registered)
            if now is None:
                continue
            kind = nn.Parameter if registered in held._parameters else asarray
            changes = [
                partial(setattr, held, registered, kind(now.numpy() * 2 if now.dtype.kind == "f" else now.numpy() + 1)),
                partial(setattr, now, "data", now.numpy()),
                partial(setattr, held, registered, None),
                partial(delattr, held, registered),
            ]
            check(layer, changes, *inputs)


def hooks_of(layer):
    handles = []
    twice = lambda module, args, output: output * 2
    first = lambda module, args: (args[0] * 3, *args[1:])
    return [
        lambda: handles.append(layer.register_forward_hook(twice)),
        lambda: handles.append(layer.register_forward_pre_hook(first)),
        lambda: handles.pop().remove(),
        lambda: handles.append(layer.register_forward_pre_hook(first)),
        *[lambda: handles.pop(0).remove()] * 2,
    ]


MODES = [lambda layer: layer.eval(), lambda layer: layer.train(), lambda layer: layer.requires_grad_(False)]


@pytest.mark.parametrize("name", ["Linear", "ReLU", "Dropout", "BatchNorm2d", "a fused pair"])
def test_hooks_and_modes_count(name):
    make, *inputs = LAYERS[name]
    inputs = [asarray(x) for x in inputs]
    for part, _ in [*make().named_modules()]:
        layer = make()
        check(layer, hooks_of(layer.get_submodule(part)), *inputs)
        check(layer, [partial(mode, layer.get_submodule(part)) for mode in MODES], *inputs)
        model = nn.Sequential(nn.Sequential(layer))
        check(lambda *x, model=model: model(*x) if len(x) == 1 else model[0][0](*x), hooks_of(model[0]), *inputs)


def linear():
    return nn.Linear(5, 5)


ORDERED = {
    "by index": lambda m: m.__setitem__(1, linear()),
    "by a negative index": lambda m: m.__setitem__(-1, nn.Linear(5, 2)),
    "append": lambda m: m.append(linear()),
    "extend": lambda m: m.extend([linear(), nn.Tanh()]),
    "insert": lambda m: m.insert(1, linear()),
    "del": lambda m: m.__delitem__(0),
    "del of a slice": lambda m: m.__delitem__(slice(0, 2)),
    "by name": lambda m: setattr(m, "0", linear()),
    "register_module": lambda m: m.register_module("7", linear()),
    "its dictionary": lambda m: m._modules.update({"0": linear()}),
    "its dictionary, by key": lambda m: m._modules.__setitem__("1", nn.Tanh()),
    "its dictionary, the order": lambda m: m._modules.update({"0": m._modules.pop("0")}),
    "its dictionary, popitem": lambda m: m._modules.popitem(),
}


class Uses(nn.Module):
    """Calls the modules of a container."""

    def __init__(self, parts):
        super().__init__()
        self.parts = parts

    def forward(self, x):
        for part in self.parts.values() if isinstance(self.parts, nn.ModuleDict) else self.parts:
            x = part(x)
        return x


@pytest.mark.parametrize("name", ORDERED)
@pytest.mark.parametrize("around", ["alone", "list", "nested", "closure"])
def test_every_change_of_an_ordered_container_counts(name, around):
    layers = [linear(), nn.Tanh(), linear()]
    held = nn.ModuleList(layers) if around in ("list", "closure") else nn.Sequential(*layers)
    function = {
        "alone": held,
        "list": Uses(held),
        "nested": nn.Sequential(nn.Tanh(), nn.Sequential(held)),
        "closure": lambda x: sum(part(x).sum() for part in held),
    }[around]
    check(function, [partial(ORDERED[name], held)] * 2, asarray(ROWS))


BY_NAME = {
    "by key": lambda m: m.__setitem__("a", linear()),
    "a new key": lambda m: m.__setitem__("c", linear()),
    "del": lambda m: m.__delitem__("b"),
    "pop": lambda m: m.pop("a"),
    "clear": lambda m: m.clear(),
    "update": lambda m: m.update({"b": nn.Tanh(), "d": linear()}),
}


@pytest.mark.parametrize("name", BY_NAME)
def test_every_change_of_a_module_dict_counts(name):
    held = nn.ModuleDict({"a": linear(), "b": nn.ReLU()})
    check(Uses(held), [partial(BY_NAME[name], held)], asarray(ROWS))


def test_a_parameter_list_that_grows_counts():
    held = nn.ParameterList([normal(5), normal(5)])
    check(lambda x: sum((x * w).sum() for w in held), [lambda: held.append(normal(5))], asarray(ROWS))


def test_a_change_of_another_module_is_no_new_capture():
    model, other = nn.Linear(5, 5), nn.Dropout(0.1)
    staged = stage(model)
    for number in range(4):
        staged(asarray(ROWS))
        other.p = 0.1 * number
        other.eval()
    assert staged.captures == 1


def test_the_same_value_again_is_no_other_capture():
    model = nn.Sequential(nn.Dropout(0.0), nn.Linear(5, 5))
    staged = stage(model)
    for _ in range(4):
        staged(asarray(ROWS))
        model[0].p = float("0.0")
        model.train()
        model[1].weight = model[1].weight
    assert staged.captures == 1


def test_steps_of_batch_normalisation_are_captured_once():
    model = nn.Sequential(nn.BatchNorm1d(5), nn.Linear(5, 3))
    staged = stage(model)
    for _ in range(5):
        staged(asarray(ROWS))
    assert staged.captures == 1


# --- what Python reads outside of modules -----------------------------------------------------------------------------

SCALE, LAYERS_IN_A_LIST, SETTINGS = 2.0, [], {"scale": 2.0, "inner": {"shift": 1.0}}


def helper(x):
    return x * SCALE


def settings_class():
    class Settings:
        scale = 3.0

        def __init__(self):
            self.shift, self.inner = 1.0, types.SimpleNamespace(power=2)

        def apply(self, x):
            return x**self.inner.power

    return Settings


class Slotted:
    __slots__ = ("scale",)

    def __init__(self):
        self.scale = 2.0


def module_class():
    class WithSettings(nn.Module):
        """A module with Python's containers and objects as attributes."""

        factor = 2.0

        def __init__(self):
            super().__init__()
            self.hidden, self.by_name, self.settings = [linear()], {"scale": 2.0}, settings_class()()

        def forward(self, x):
            for layer in self.hidden:
                x = layer(x)
            return x * self.by_name["scale"] * self.settings.scale * self.factor + SCALE

    return WithSettings


def _set_global(name, value):
    globals()[name] = value


def variables():
    """Functions, and what changes for them."""
    scale, layers, slotted = 2.0, [linear()], Slotted()
    Settings, WithSettings = settings_class(), module_class()
    settings, model = Settings(), WithSettings()
    table = numpy.ones(5)
    rates = optim.SGD(linear().parameters(), lr=0.5)
    loss, chosen, weight = nn.CrossEntropyLoss(), {"a": 1}, asarray(normal(5), requires_grad=True)

    def rebind(value):
        nonlocal scale
        scale = value

    def other_weight():
        nonlocal weight
        weight = asarray(normal(5))

    def inner(x, by=chosen):
        return x * scale * by["a"]

    yield "a variable outside", lambda x: x * scale, lambda: rebind(3.0)
    yield "one of a function that is called", lambda x: inner(x), lambda: rebind(4.0)
    yield "the sign of zero", lambda x: 1 / (x * 0 + scale), lambda: (rebind(0.0), rebind(-0.0))
    yield "a default", inner, lambda: chosen.update(a=2)
    yield "a tensor", lambda x: x * weight, other_weight
    yield "a global", lambda x: x * SCALE, lambda: _set_global("SCALE", 5.0)
    yield "a global of a function that is called", lambda x: helper(x), lambda: _set_global("SCALE", 6.0)
    yield "a function", lambda x: helper(x), lambda: _set_global("helper", lambda x: x - 1)
    yield "a list of layers", lambda x: layers[-1](x), lambda: layers.append(nn.Linear(5, 2))
    yield "a layer in a list", lambda x: layers[0](x), lambda: layers.__setitem__(0, nn.Linear(5, 3))
    yield "a dictionary", lambda x: x * SETTINGS["scale"], lambda: SETTINGS.update(scale=7.0)
    yield "one in it", lambda x: x + SETTINGS["inner"]["shift"], lambda: SETTINGS["inner"].update(shift=7.0)
    yield "a set", lambda x: x * len(SEEN), lambda: SEEN.add(3)
    yield "an attribute", lambda x: x + settings.shift, lambda: setattr(settings, "shift", 4.0)
    yield "an attribute by its name", lambda x: x + getattr(settings, "shift"), lambda: setattr(settings, "shift", 5.0)  # noqa: B009
    yield "an attribute of it", lambda x: settings.apply(x), lambda: setattr(settings.inner, "power", 3)
    yield "an attribute of a class", lambda x: x * settings.scale, lambda: setattr(Settings, "scale", 1.5)
    yield "an attribute in place of the class's", lambda x: x * settings.scale, lambda: setattr(settings, "scale", 9.0)
    yield "a slot", lambda x: x * slotted.scale, lambda: setattr(slotted, "scale", 4.0)
    yield "a method", settings.apply, lambda: setattr(settings.inner, "power", 1)
    yield "another method", lambda x: settings.apply(x), lambda: setattr(Settings, "apply", lambda self, x: -x)
    yield "a partial function", partial(inner, by=chosen), lambda: chosen.update(a=5)
    yield "no_grad", ichikara.no_grad()(lambda x: x * scale), lambda: rebind(8.0)
    yield "a staged function inside", (lambda f: lambda x: f(x))(stage(lambda x: x * scale)), lambda: rebind(9.0)
    yield "a loss", lambda x: loss(x, LABELS), lambda: setattr(loss, "label_smoothing", 0.3)
    yield "an array that is converted", lambda x: x * asarray(table, dtype="float32"), lambda: table.fill(2.0)
    yield "an array that decides", lambda x: x if table[0] > 2.5 else -x, lambda: table.fill(3.0)
    yield "an array that is computed with", lambda x: x * (table * 2), lambda: table.fill(4.0)
    yield "a rate", lambda x: x * rates.param_groups[0]["lr"], lambda: rates.param_groups[0].update(lr=0.25)
    yield "a list in a module", model, lambda: model.hidden.append(linear())
    yield "a dictionary in a module", model, lambda: model.by_name.update(scale=1.0)
    yield "an object in a module", model, lambda: setattr(model.settings, "scale", -1.0)
    yield "the class of a module", model, lambda: setattr(WithSettings, "factor", 3.0)
    yield "a global of a module's forward", model, lambda: _set_global("SCALE", 10.0)
    yield "a module that is not called", lambda x: x * model.factor, lambda: setattr(model, "factor", 5.0)
    yield "a forward of one module", model, lambda: setattr(model, "forward", lambda x: x * 3)


SEEN = {1, 2}


@pytest.mark.parametrize("name", [name for name, *_ in variables()])
def test_every_variable_that_a_step_reads_counts(name):
    function, change = next(row[1:] for row in variables() if row[0] == name)
    assert check(function, [change], asarray(ROWS)).captures >= 2


def test_arrays_that_a_replay_reads_anyway_may_change_at_each_call():
    table, part = numpy.ones(5), numpy.ones((2, 5))
    staged = check(
        lambda x: x * table + asarray(table) - part[1],
        [lambda: table.fill(3.0), lambda: part.fill(7.0)],
        asarray(ROWS.astype("float64")),
    )
    assert staged.captures == 1


def test_an_object_among_the_arguments_counts():
    settings = settings_class()()
    function = lambda x, given: x * given.scale + given.shift
    staged = stage(function)
    for value in (1.0, 2.0, 3.0):
        settings.shift = value
        for _ in range(2):
            agree(outcome(staged, asarray(ROWS), settings), outcome(function, asarray(ROWS), settings))


def test_zeros_of_either_sign_are_other_arguments():
    divided = stage(lambda x, zero: x / zero)
    with numpy.errstate(divide="ignore"):
        assert [divided(asarray([1.0]), zero).item() for zero in (0.0, -0.0, 0.0)] == [numpy.inf, -numpy.inf, numpy.inf]


def test_a_step_that_changes_a_variable_itself_changes_it_in_each_call():
    def made():
        weight, calls = 1.0, []

        def step(x):
            nonlocal weight
            weight *= 0.5
            calls.append(weight)
            return x * weight

        return step, calls

    (eager, wanted), (step, found) = made(), made()
    staged = stage(step)
    for _ in range(5):
        agree(outcome(staged, asarray(ROWS)), outcome(eager, asarray(ROWS)))
    assert found == wanted


def test_a_hook_is_called_as_often_as_what_it_does_would_be_missed():
    model, shapes = linear(), []
    model.register_forward_hook(lambda module, args, output: shapes.append(output.shape))
    staged = stage(model)
    for _ in range(4):
        staged(asarray(ROWS))
    assert shapes == [(6, 5)] * 4


def test_options_of_an_optimiser_count():
    def train(make):
        ichikara.seed(0)
        model = linear()
        optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.5)

        def step(x):
            optimizer.zero_grad()
            (model(x) ** 2).sum().backward()
            optimizer.step()

        step = make(step)
        for number in range(6):
            step(asarray(ROWS))
            optimizer.param_groups[0]["lr"] = 0.01 * number
            optimizer.param_groups[0]["momentum"] = 0.1 * number
            if number == 3:
                optimizer.param_groups = [{**optimizer.param_groups[0], "params": [model.weight]}]
        return [p.numpy() for p in model.parameters()]

    agree(train(stage), train(lambda step: step))


@pytest.mark.parametrize("kind", ["shapes", "numbers", "a variable", "an attribute"])
def test_many_captures_are_warned_of_once(kind):
    scale, layer = 0.0, nn.Dropout(0.0)
    steps = {
        "shapes": lambda x: x * 2,
        "numbers": lambda x, number: x * number,
        "a variable": lambda x: x * scale,
        "an attribute": layer,
    }
    staged = stage(steps[kind])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for number in range(50):
            scale, layer.p = float(number), number / 100
            staged(
                asarray(numpy.ones(number + 1 if kind == "shapes" else 3, "float32")),
                *([number] if kind == "numbers" else []),
            )
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert {"a variable": "scale", "an attribute": "Dropout.p"}.get(kind, "captured") in str(caught[0].message)


def test_a_capture_does_not_keep_what_it_is_of_alive():
    import weakref

    model = linear()
    staged, there = stage(model), weakref.ref(model)
    staged(asarray(ROWS))
    del model, staged
    gc.collect()
    assert there() is None


# --- derivatives of staged functions ----------------------------------------------------------------------------------


def cubes(x):
    return (x**3 * asarray([1.0, 2.0, 3.0])).sum()


def powers(x):
    return ops.tanh(x) * x


POINT, ALONG = numpy.asarray([0.5, -1.0, 2.0]), numpy.asarray([1.0, 0.5, -1.0])
DERIVATIVES = {
    "grad": lambda f, g: ichikara.grad(f)(POINT),
    "value_and_grad": lambda f, g: ichikara.value_and_grad(f)(POINT),
    "grad with aux": lambda f, g: ichikara.grad(lambda x: (f(x), x * 2), has_aux=True)(POINT),
    "grad of a part": lambda f, g: ichikara.grad(lambda x: f(x) + (x * x).sum())(POINT),
    "grad of grad": lambda f, g: ichikara.grad(lambda x: (ichikara.grad(f)(x) ** 2).sum())(POINT),
    "vjp": lambda f, g: ichikara.vjp(g, POINT)[1](ALONG),
    "jvp": lambda f, g: ichikara.jvp(g, (POINT,), (ALONG,)),
    "jacobian": lambda f, g: ichikara.jacobian(g)(POINT),
    "hvp": lambda f, g: ichikara.hvp(f, POINT, ALONG),
    "hessian": lambda f, g: ichikara.hessian(f)(POINT),
}


@pytest.mark.parametrize("name", DERIVATIVES)
def test_derivatives_of_staged_functions_are_those_of_the_functions(name):
    staged = stage(cubes), stage(powers)
    for _ in range(3):
        agree(outcome(DERIVATIVES[name], *staged), outcome(DERIVATIVES[name], cubes, powers))
        for function in staged:  # a capture between them does not count
            function(asarray(POINT))


def test_backward_goes_through_a_staged_function_to_its_arguments():
    staged = stage(lambda given: cubes(given["x"]))
    for _ in range(3):
        x = asarray(POINT, requires_grad=True)
        staged({"x": x * 2}).backward()
        staged({"x": x}).backward()
        numpy.testing.assert_allclose(x.grad.numpy(), 27 * POINT**2 * [1, 2, 3], rtol=1e-6)


def test_a_staged_step_that_is_given_a_leaf_is_replayed():
    @stage
    def slope(w, x):
        w.grad = None
        (w * w * x).sum().backward()
        return w.grad * 1

    w = asarray([1.0, 2.0], requires_grad=True)
    for number in (1.0, 2.0, 3.0, 4.0):
        assert slope(w, asarray([number, 1.0])).tolist() == [2 * number, 4.0]
    assert slope.captures == 1


ENDS = {
    "backward": lambda y, w: y.sum().backward(),
    "beside another part": lambda y, w: (y.sum() + (w * w).sum()).backward(),
    "grad": lambda y, w: ichikara.grad(lambda v: (y * v).sum())(w.detach()),
    "vjp": lambda y, w: ichikara.vjp(lambda v: y * v, w.detach())[1](y.detach()),
}


@pytest.mark.parametrize("name", ENDS)
@pytest.mark.parametrize("call", [1, 2, 5])
def test_a_result_without_its_graph_says_so_where_it_is_differentiated(name, call):
    model = linear()
    staged = stage(model)
    for _ in range(call):
        y = staged(asarray(ROWS))
    assert y.requires_grad
    w = asarray(1.0, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"result of a staged function.*call backward\(\) inside"):
        ENDS[name](y, w)
    assert w.grad is None
    assert model.weight.grad is None
    assert not y.detach().requires_grad
    with ichikara.no_grad():
        assert not staged(asarray(ROWS)).requires_grad


# --- packed sequences -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("sorted_", [True, False])
def test_packed_sequences_in_staged_functions(kind, sorted_):
    layer = getattr(nn, kind)(3, 4)
    inside_lengths = (5, 4, 2) if sorted_ else (4, 5, 2)

    def inside(x):
        packed = nn.pack_padded_sequence(x, inside_lengths, enforce_sorted=sorted_)
        return nn.pad_packed_sequence(layer(packed)[0], batch_first=True, padding_value=2.0)

    def through(packed):
        return nn.pad_packed_sequence(layer(packed)[0])

    staged = stage(inside), stage(through)
    for lengths in ((5, 4, 2), (5, 4, 2), (5, 1, 1), (5, 4, 2)):
        x = asarray(normal(5, 3, 3))
        packed = nn.pack_padded_sequence(x, lengths[:: 1 if sorted_ else -1], enforce_sorted=sorted_)
        agree(outcome(staged[0], x), outcome(inside, x))
        agree(outcome(staged[1], packed), outcome(through, packed))
    assert [each.captures for each in staged] == [1, 2]


def test_lengths_that_differ_in_each_replay_are_refused_with_what_to_do():
    staged = stage(lambda x, lengths: nn.pack_padded_sequence(x, lengths))
    with pytest.raises(TypeError, match="give what decides shapes, such as lengths, as a list"):
        staged(asarray(normal(5, 2, 3)), asarray([5, 2]))


def test_numbers_of_a_tensor_from_outside_that_python_asked_for_count():
    limit, numbers = asarray([2.0]), numpy.asarray([3, 4])
    shared = asarray(numbers)
    function = lambda x: x * float(limit) + shared.tolist()[0]

    def change(value):
        limit.data = numpy.asarray([value])

    check(function, [partial(change, 4.0), partial(numbers.__setitem__, 0, 9)], asarray(ROWS))


def test_a_variable_that_was_deleted_is_missed():
    factor = 2.0

    @stage
    def double(x):
        return x * factor  # noqa: F821 - it is deleted below

    x = asarray([1.0])
    assert [double(x).item() for _ in range(3)] == [2.0] * 3
    del factor
    with pytest.raises(NameError, match="factor"):
        double(x)
