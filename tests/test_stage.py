"""Steps that are captured once and replayed: the same numbers as eager ones, or an error that says why not."""

import gc
import threading
import warnings

import needs
import numpy
import pytest
from cases import CASES

import ichikara
from ichikara import nn, ops, optim
from ichikara.autodiff import Tensor, asarray
from ichikara.fast import lookup, registry
from ichikara.fast.replay import program
from ichikara.stage import stage
from ichikara.zoo import GPT

# --- with and without the small kernels of replays --------------------------------------------------------------------


WAYS = ["plain", "small kernels", "memory plan", "large kernels, memory plan"]


@pytest.fixture(autouse=True)
def way(request, monkeypatch):
    """Plain: replays call what eager steps call, so that the numbers are the same to the bit. Or small kernels.

    Or replays by a memory plan from the first one on. Or both eager steps and replays call the kernels of large arrays.
    """
    way = getattr(request, "param", "plain")
    lookup.find_small("")  # loads them all
    if way in ("plain", "large kernels, memory plan"):
        monkeypatch.setattr(registry, "small_kernels", {})
        monkeypatch.setattr(registry, "in_place_kernels", {})
        monkeypatch.setattr(registry, "fused_kernels", {})
    if "large" in way:
        monkeypatch.setattr(registry, "LARGE", 1)
    if "memory plan" in way:
        monkeypatch.setattr(program, "_STABLE_REPLAYS", 0)


each_way = pytest.mark.parametrize("way", WAYS[:3], indirect=True)
small = pytest.mark.parametrize("way", WAYS[1:3], indirect=True)
ROUNDING = {
    "float32": {"rtol": 1e-5, "atol": 1e-6},
    "float64": {"rtol": 1e-13, "atol": 1e-14},
    "a hundred steps in float64": {"rtol": 1e-11, "atol": 1e-12},
}

# --- every operation --------------------------------------------------------------------------------------------------

LOOK_AT_NUMBERS = {"one_hot-1": "num_classes must be given"}  # rows that count what they are given


def others(case, seed):
    """Inputs of a row with other numbers than those of `Case.sample`."""
    random = numpy.random.default_rng(seed)
    arrays = [sampler(random) for sampler in case.samplers]
    return [array.astype("float64") if array.dtype.kind == "f" else array for array in arrays]


def value_and_gradients(case):
    """A row as a step: its value, and the gradients of the sum of its squares."""
    function = case.function()

    def step(*arrays):
        tensors = [asarray(a, requires_grad=a.dtype.kind == "f") for a in arrays]
        value = function(*tensors)
        if not value.requires_grad:
            return value
        (value * value).sum().backward()
        return value, [t.grad for t in tensors if t.requires_grad]

    return step


def numbers(result):
    leaves, _ = ichikara.autodiff.flatten(result)
    return [leaf.detach().numpy() for leaf in leaves if isinstance(leaf, Tensor)]


def same(ours, theirs, rounded=None):
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        if registry.small_kernels and a.dtype.kind == "f":  # sums in another order
            numpy.testing.assert_allclose(a, b, **ROUNDING[rounded or a.dtype.name])
        else:
            numpy.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("way", WAYS, indirect=True)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_row_of_the_table_replayed_is_the_row(case):
    step = value_and_gradients(case)
    staged = stage(step)
    if case.id in LOOK_AT_NUMBERS:
        with pytest.raises(ValueError, match=LOOK_AT_NUMBERS[case.id]):
            staged(*others(case, 0))
        return
    for seed in range(3):
        arrays = others(case, seed)
        same(numbers(staged(*arrays)), numbers(step(*arrays)))
    assert staged.captures == 1


@each_way
@pytest.mark.parametrize("name", ["tanh", "matmul", "normalise", "lstm", "max_pooling"])
def test_second_derivatives_are_replayed(name):
    case = next(case for case in CASES if case.name == name)
    function = case.function()

    def step(*arrays):
        tensors = [asarray(a, requires_grad=a.dtype.kind == "f") for a in arrays]
        wanted = [t for t in tensors if t.requires_grad]
        (function(*tensors) ** 2).sum().backward(create_graph=True)
        slopes = [t.grad for t in wanted]
        for t in wanted:
            t.grad = None
        sum((slope * slope).sum() for slope in slopes).backward()
        return slopes, [t.grad for t in wanted]

    staged = stage(step)
    for seed in range(3):
        arrays = others(case, seed)
        same(numbers(staged(*arrays)), numbers(step(*arrays)))
    assert staged.captures == 1


# --- training ---------------------------------------------------------------------------------------------------------


class Training:
    """A network, an optimiser and batches, always the same ones; ``step`` is eager or staged."""

    def __init__(self, build, optimizer, data, staged, loss=None, before_update=None, after=None):
        ichikara.seed(0)
        self.model = build()
        self.optimizer = optimizer(self.model.parameters())
        loss_of = loss or nn.CrossEntropyLoss()

        def step(x, y):
            self.optimizer.zero_grad()
            loss = loss_of(self.model(x), y)
            loss.backward()
            if before_update:
                before_update(self.model)
            self.optimizer.step()
            if after:
                after(self)
            return loss

        self.eager = step
        self.step = stage(step) if staged else step
        self.data = data

    def run(self, steps):
        return [self.step(*map(asarray, self.data(number))).detach().numpy() for number in range(steps)]

    def everything(self):
        """Every number that the training depends on."""
        state = [tensor.numpy() for tensor in self.model.state_dict().values()]
        grads = [p.grad.numpy() for p in self.model.parameters() if p.grad is not None]
        memory = [numpy.asarray(a) for of in self.optimizer.state.values() for _, a in sorted(of.items())]
        return [*state, *grads, *memory]


def batches(*shape, classes=3, dtype="float32"):
    def batch(number):
        random = numpy.random.default_rng(number)
        x = random.standard_normal(shape).astype(dtype)
        return x, random.integers(0, classes, shape[0])

    return batch


def words(number):
    random = numpy.random.default_rng(number)
    return random.integers(0, 11, (4, 8)), random.integers(0, 11, (4, 8))


def mlp():
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))


def vision():
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1, bias=False),  # its gradient would be rounding alone, and a whole step of Adam's
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.3),
        nn.Flatten(),
        nn.Linear(6 * 3 * 3, 3),
    )


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.LSTM(5, 7, num_layers=2, batch_first=True, dropout=0.2)
        self.head = nn.Linear(7, 3)

    def forward(self, x):
        states, _ = self.cell(x)
        return self.head(states[:, -1])


NOISE = 1e-4  # an eps above gradients that are rounding alone, such as of the keys' bias; else each is a step of Adam's


def gpt():
    return GPT(11, 8, width=12, layers=2, heads=2, dropout=0.1)


def of_words(logits, y):
    return ichikara.cross_entropy(ichikara.reshape(logits, (-1, 11)), ichikara.reshape(y, (-1,)))


TRAININGS = {
    "sgd": {"build": mlp, "optimizer": lambda p: optim.SGD(p, lr=0.1), "data": batches(6, 5)},
    "momentum": {"build": mlp, "optimizer": lambda p: optim.SGD(p, lr=0.1, momentum=0.9), "data": batches(6, 5)},
    "nesterov": {
        "build": mlp,
        "optimizer": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
        "data": batches(6, 5),
    },
    "uphill": {
        "build": mlp,
        "optimizer": lambda p: optim.SGD(p, lr=0.01, momentum=0.5, dampening=0.3, maximize=True),
        "data": batches(6, 5),
    },
    "adam": {"build": mlp, "optimizer": lambda p: optim.Adam(p, lr=0.01), "data": batches(6, 5)},
    "adam decaying": {
        "build": mlp,
        "optimizer": lambda p: optim.Adam(p, lr=0.01, betas=(0.8, 0.9), weight_decay=0.1),
        "data": batches(6, 5),
    },
    "adamw": {"build": mlp, "optimizer": lambda p: optim.AdamW(p, lr=0.01), "data": batches(6, 5)},
    "rmsprop": {"build": mlp, "optimizer": lambda p: optim.RMSprop(p, lr=0.01), "data": batches(6, 5)},
    "adagrad": {"build": mlp, "optimizer": lambda p: optim.Adagrad(p, lr=0.01), "data": batches(6, 5)},
    "vision": {"build": vision, "optimizer": lambda p: optim.Adam(p, lr=0.01), "data": batches(4, 2, 6, 6)},
    "lstm": {"build": Reader, "optimizer": lambda p: optim.Adam(p, lr=0.01), "data": batches(4, 6, 5)},
    "gpt": {"build": gpt, "optimizer": lambda p: optim.AdamW(p, lr=0.01, eps=NOISE), "data": words, "loss": of_words},
    "clipped": {
        "build": mlp,
        "optimizer": lambda p: optim.SGD(p, lr=0.1),
        "data": batches(6, 5),
        "before_update": lambda model: optim.clip_grad_norm_(model.parameters(), 0.1),
    },
    "cut": {
        "build": mlp,
        "optimizer": lambda p: optim.SGD(p, lr=0.1),
        "data": batches(6, 5),
        "before_update": lambda model: optim.clip_grad_value_(model.parameters(), 0.01),
    },
}


@each_way
@pytest.mark.parametrize("name", TRAININGS)
def test_a_staged_training_is_the_eager_one(name):
    eager = Training(**TRAININGS[name], staged=False)
    expected = eager.run(5), eager.everything()
    staged = Training(**TRAININGS[name], staged=True)
    same(staged.run(5), expected[0])
    same(staged.everything(), expected[1])
    assert staged.step.captures == 1


@small
@pytest.mark.parametrize("name", ["sgd", "nesterov", "adam"])
def test_an_update_that_is_done_again_sees_what_has_changed(name):
    staged, eager = Training(**TRAININGS[name], staged=True), Training(**TRAININGS[name], staged=False)
    for training in (staged, eager):
        training.run(3)
        training.optimizer.param_groups[0]["lr"] = 0.02
        training.run(2)
        taken = [parameter.detach() for parameter in training.model.parameters()]
        before = [tensor.numpy().copy() for tensor in taken]
        training.run(2)
        assert all(numpy.array_equal(tensor.numpy(), array) for tensor, array in zip(taken, before, strict=True))
        training.optimizer.param_groups[0]["weight_decay"] = 0.2
        training.run(3)
        training.optimizer.load_state_dict(training.optimizer.state_dict())
        training.run(2)
    same(staged.everything(), eager.everything())
    assert staged.step.captures <= 2  # another where the state is loaded


UPDATES = {
    "sgd": lambda p: optim.SGD(p, lr=0.1),
    "momentum": lambda p: optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.1),
    "adam": lambda p: optim.Adam(p, lr=0.01, eps=NOISE),
    "adamw": lambda p: optim.AdamW(p, lr=0.01, eps=NOISE, weight_decay=0.1),
    "two groups": lambda p: optim.AdamW(
        [{"params": p[:2]}, {"params": p[2:], "lr": 0.004, "betas": (0.8, 0.9)}], lr=0.002, eps=NOISE
    ),
}


def _new_options(training):
    training.optimizer.param_groups[-1]["lr"] *= 0.5


def _other_kind_of_options(training):
    group = training.optimizer.param_groups[0]
    group["weight_decay"] = 0.3 - group["weight_decay"]
    if "momentum" in group:
        group["momentum"], group["nesterov"] = 0.0 if group["momentum"] else 0.8, False
    else:
        group["amsgrad"] = False


def _lists_of_options(training):
    group = training.optimizer.param_groups[-1]
    if "betas" in group and isinstance(group["betas"], list):
        group["betas"][0] *= 0.5
    elif "betas" in group:
        group["betas"] = [*group["betas"]]


def _none_for_kernels(training):
    group = training.optimizer.param_groups[0]
    group["lr"] = numpy.float64(group["lr"])


def _loaded_state(training):
    training.optimizer.load_state_dict(training.optimizer.state_dict())


def _loaded_parameters(training):
    model = training.model
    model.load_state_dict({name: value * 0.5 for name, value in model.state_dict().items()})


def _another_memory(training):
    for memory in training.optimizer.state.values():
        memory.update({name: array.copy() for name, array in memory.items()})


def _no_memory(training):
    training.optimizer.state.clear()


def _eager_step(training):
    training.eager(*map(asarray, training.data(7)))


def _another_batch(training):
    training.step(*(asarray(array[:4]) for array in training.data(8)))


def _detached_parameters(training):
    training.detached = [parameter.detach() for parameter in training.model.parameters()]


@each_way
@pytest.mark.parametrize("name", UPDATES)
@pytest.mark.parametrize("size", [8, 80])
def test_an_update_that_is_repeated_sees_what_has_changed(name, size):
    """Some parameters lie in a row, and of 80 units one is changed by itself. A hundred steps are taken in float64."""
    layers = lambda: (nn.Linear(5, size), nn.Tanh(), nn.Linear(size, size), nn.ReLU(), nn.Linear(size, 3))
    build = lambda: nn.Sequential(*layers()).to("float64")
    optimizer = lambda parameters: UPDATES[name]([*parameters])
    data = batches(6, 5, dtype="float64")
    trainings = [Training(build, optimizer, data, staged=staged) for staged in (False, True)]
    for event in EVENTS:
        for training in trainings:
            training.run(4)
            event(training)
            taken = [parameter.detach() for parameter in training.model.parameters()]
            before = [tensor.numpy().copy() for tensor in taken]
            training.run(1)
            same([tensor.numpy() for tensor in taken], before)
            del taken
            training.run(4)
        same(trainings[1].everything(), trainings[0].everything(), "a hundred steps in float64")


EVENTS = [
    *(_new_options, _other_kind_of_options, _loaded_state, _loaded_parameters, _another_memory, _eager_step),
    *(_another_batch, _detached_parameters, _lists_of_options, _lists_of_options, _none_for_kernels, _no_memory),
]


@small
@pytest.mark.parametrize("name", UPDATES)
def test_an_update_is_repeated_also_by_other_options_each_time(monkeypatch, name):
    needs.kernels()
    asked = []
    noting = lambda do: lambda *given: asked.append(do) or do(*given)
    for rule, known in registry.in_place_kernels.items():
        for field in ("change", "launch"):
            known = known._replace(**{field: noting(getattr(known, field))})
        monkeypatch.setitem(registry.in_place_kernels, rule, known)
    training = Training(mlp, lambda parameters: UPDATES[name]([*parameters]), batches(6, 5), staged=True)
    for number in range(12):
        training.optimizer.param_groups[0]["lr"] = 0.1 / (number + 1)
        training.run(1)
        asked.clear() if number < 6 else None
    assert asked == []


@small
def test_an_update_by_gradients_of_any_layout():
    w, b = asarray(numpy.ones((3, 4), "float32"), requires_grad=True), asarray([1.0, 2.0], requires_grad=True)
    optimizer = optim.SGD([w, b], lr=0.5)
    step, gradient = stage(optimizer.step), numpy.arange(12, dtype="float32").reshape(3, 4)
    for k in range(6):
        turned = numpy.asfortranarray(gradient) if k % 2 else gradient
        w.grad, b.grad = asarray(turned), asarray([1.0, -1.0])
        step()
        numpy.testing.assert_allclose(w.numpy(), 1 - 0.5 * (k + 1) * gradient)
        assert b.tolist() == [1 - 0.5 * (k + 1), 2 + 0.5 * (k + 1)]


@each_way
@pytest.mark.parametrize("name", UPDATES)
def test_a_staged_update_alone_changes_the_numbers_that_are_there(name):
    made = lambda: [asarray(numpy.full(shape, 2, "float32"), requires_grad=True) for shape in ((3, 4), (5,), (80, 80))]
    ours, theirs = made(), made()
    optimizers = [UPDATES[name](parameters) for parameters in (ours, theirs)]
    staged, eager = stage(optimizers[0].step), optimizers[1].step
    for number in range(16):
        for one, other in zip(ours, theirs, strict=True):
            one.grad, other.grad = (asarray(numpy.full(one.shape, number % 3 - 1, "float32")) for _ in range(2))
            if number % 5 == 4:
                one.data, other.data = (asarray(numpy.full(one.shape, number, "float32")) for _ in range(2))
        staged()
        eager()
        same([one.numpy() for one in ours], [other.numpy() for other in theirs])


@each_way
def test_eager_and_staged_steps_may_take_turns():
    expected = Training(**TRAININGS["vision"], staged=False)
    expected.run(6)
    turns = Training(**TRAININGS["vision"], staged=True)
    for number in range(6):
        (turns.step, turns.eager)[number % 2](*map(asarray, turns.data(number)))
    same(turns.everything(), expected.everything())
    assert turns.step.captures == 1


@each_way
@pytest.mark.parametrize("where", ["inside", "outside"])
def test_a_schedule_moves_a_staged_step(where):
    def train(staged):
        made = Training(
            **TRAININGS["momentum"], staged=staged, after=lambda made: where == "inside" and schedule.step()
        )
        schedule = optim.ExponentialLR(made.optimizer, gamma=0.5)
        for number in range(5):
            made.step(*map(asarray, made.data(number)))
            if where == "outside":
                schedule.step()
        assert made.optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * 0.5**5)
        return made

    eager, staged = train(False), train(True)
    same(staged.everything(), eager.everything())
    assert staged.step.captures == 1


@each_way
def test_gradients_that_somebody_keeps_stay_as_they_were():
    layer = nn.Linear(3, 2)

    @stage
    def step(x):
        layer.zero_grad()
        (layer(x) ** 2).sum().backward()

    x = numpy.ones((4, 3), numpy.float32)
    step(x)
    step(2 * x)
    kept = layer.weight.grad
    numbers, part = numpy.array(kept), numpy.asarray(layer.bias.grad)[:1]
    before = part.copy()
    step(3 * x)
    numpy.testing.assert_array_equal(numpy.asarray(kept), numbers)
    numpy.testing.assert_array_equal(part, before)
    step(x)
    step(2 * x)
    numpy.testing.assert_allclose(numpy.asarray(layer.weight.grad), numbers, rtol=1e-6)


@each_way
def test_a_gradient_that_was_taken_from_its_parameter_stays_as_it_was():
    layer = nn.Linear(3, 2)

    @stage
    def step(x):
        (layer(x) ** 2).sum().backward()

    x, taken = numpy.ones((4, 3), numpy.float32), []
    for number in range(6):
        step((number + 1) * x)
        taken.append((layer.weight.grad, numpy.array(layer.weight.grad)))
        layer.zero_grad()
    for gradient, numbers in taken:
        numpy.testing.assert_array_equal(gradient, numbers)


@pytest.mark.parametrize("way", [WAYS[3]], indirect=True)
def test_gradients_that_are_one_array():
    """Those of an LSTM's two biases."""
    cell = nn.LSTM(32, 64)

    def step(x):
        cell.zero_grad()
        states, _ = cell(x)
        (states**2).sum().backward()

    staged, kept = stage(step), []
    for number in range(8):
        x = asarray(batches(16, 512)(number)[0].reshape(16, 16, 32))
        staged(x)
        found = [p.grad.numpy().copy() for p in cell.parameters()]
        if number == 4:
            kept = [(p.grad, p.grad.numpy().copy()) for p in cell.parameters()]
        step(x)
        same([p.grad.numpy() for p in cell.parameters()], found)
    for gradient, numbers in kept:
        numpy.testing.assert_array_equal(gradient, numbers)


@each_way
def test_a_step_that_fails_leaves_no_half_of_a_gradient():
    layer, loss = nn.Linear(3, 2), nn.CrossEntropyLoss()

    @stage
    def step(x, labels, others):
        layer.zero_grad()
        loss(layer(x), labels).backward()
        return loss(layer(x), others)

    x, labels = batches(4, 3, classes=2)(0)
    for _ in range(3):
        step(x, labels, labels)
    before = [numpy.array(p.grad) for p in layer.parameters()]
    with pytest.raises(ValueError, match="2"):
        step(2 * x, labels, labels + 2)
    for p, numbers in zip(layer.parameters(), before, strict=True):
        assert p.grad is None or numpy.array_equal(p.grad, numbers)
    step(x, labels, labels)
    for p, numbers in zip(layer.parameters(), before, strict=True):
        numpy.testing.assert_array_equal(p.grad, numbers)


@each_way
def test_a_step_compares_a_gradient_with_the_one_before():
    def changes(staged):
        ichikara.seed(0)
        layer = nn.Linear(3, 2)
        layer.weight.grad = ichikara.zeros((2, 3))

        def change(x):
            before = layer.weight.grad
            layer.zero_grad()
            ichikara.tanh(layer(x)).sum().backward()
            return layer.weight.grad - before

        change = stage(change) if staged else change
        return [change(asarray(batches(4, 3)(number)[0])).numpy() for number in range(5)]

    same(changes(True), changes(False))


@each_way
def test_gradients_that_are_not_forgotten_add_up():
    def train(staged):
        ichikara.seed(0)
        model = mlp()

        def step(x):
            model(x).sum().backward()

        step = stage(step) if staged else step
        for number in range(4):
            step(asarray(batches(6, 5)(number)[0]))
        return [p.grad.numpy() for p in model.parameters()], step

    expected, _ = train(False)
    found, step = train(True)
    same(found, expected)
    assert step.captures == 2  # the first one found no gradient


@each_way
def test_two_optimisers_in_one_step():
    """As of a GAN: the second network sees what the first one's step made of its parameters."""

    def train(staged):
        ichikara.seed(0)
        first, second = nn.Linear(3, 3), nn.Linear(3, 1)
        one, two = optim.Adam(first.parameters(), lr=0.1), optim.SGD(second.parameters(), lr=0.1)

        def step(x):
            one.zero_grad()
            second(first(x)).sum().backward()
            one.step()
            two.zero_grad()
            loss = (second(first(x)) ** 2).mean()
            loss.backward()
            two.step()
            return loss, second(first(x))

        step = stage(step) if staged else step
        return [step(asarray(batches(4, 3)(number)[0])) for number in range(4)]

    same(numbers(train(True)), numbers(train(False)))


def test_numbers_replaced_inside_a_step_are_replaced_in_each_replay():
    def train(staged):
        w = asarray([1.0, -2.0, 3.0], requires_grad=True)

        def step(x):
            w.data = ichikara.clip(w.detach() + x, -2.0, 2.0)
            return w * 2

        step = stage(step) if staged else step
        return [step(asarray([0.5, number, -1.0])) for number in range(4)], w

    (expected, w), (found, v) = train(False), train(True)
    same(numbers(found), numbers(expected))
    same([v.numpy()], [w.numpy()])


def test_kernels_are_replayed():
    """Sizes at which every operation of the network has its kernel."""

    def build():
        return nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(16 * 64, 64), nn.GELU(), nn.Linear(64, 3),
        )  # fmt: skip

    made = {"build": build, "optimizer": lambda p: optim.Adam(p, lr=0.01), "data": batches(24, 3, 16, 16)}
    eager, staged = Training(**made, staged=False), None
    expected = eager.run(3), eager.everything()
    staged = Training(**made, staged=True)
    same(staged.run(3), expected[0])
    same(staged.everything(), expected[1])


@small
def test_small_kernels_are_replayed_beside_large_ones():
    def train(staged):
        build = lambda: nn.Sequential(nn.Linear(64, 300), nn.GELU("tanh"), nn.Linear(300, 8), nn.GELU("tanh"))
        made = Training(build, lambda p: optim.SGD(p, lr=0.1), batches(60, 64), staged)
        return [*made.run(3), *made.everything()]

    same(train(True), train(False))


def relus(*layers):
    return nn.Sequential(*[part for layer in layers for part in (layer, nn.ReLU())])


class _Around(nn.Module):
    """A layer and a way around it, as in a residual network."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 64)

    def forward(self, x):
        return ops.relu(self.layer(x) + x)


# A network, the shape of its input, and what of it two operations at a time can do.
FUSED = {
    "a sum": (lambda: nn.Sequential(_Around(), _Around()), (70, 5, 64), {"add", "add of gradients"}),
    "linear": (lambda: relus(nn.Linear(64, 300), nn.Linear(300, 320)), (60, 64), {"linear", "linear x"}),
    "linear, few rows": (lambda: relus(nn.Linear(300, 310), nn.Linear(310, 320)), (3, 300), {"linear", "linear x"}),
    "linear, few neurons": (lambda: relus(nn.Linear(64, 300), nn.Linear(300, 10)), (100, 64), {"linear", "linear x"}),
    "linear, sequences": (lambda: relus(nn.Linear(64, 300), nn.Linear(300, 90)), (5, 12, 64), {"linear", "linear x"}),
    "convolution": (
        lambda: relus(nn.Conv2d(3, 20, 5), nn.Conv2d(20, 24, 5, stride=2), nn.Conv2d(24, 24, (2, 3), groups=3)),
        (9, 3, 31, 32),
        {"convolution", "convolution x"},
    ),
    "convolution, Winograd's": (
        lambda: relus(nn.Conv2d(16, 18, 3), nn.Conv2d(18, 16, 4, stride=2, padding=1)),
        (9, 16, 31, 32),
        {"convolution", "convolution x"},
    ),
    "convolution, of one channel": (
        lambda: relus(nn.Conv2d(3, 1, 3), nn.Conv2d(1, 20, 3, padding=2)),
        (9, 3, 71, 72),
        {"convolution", "convolution x"},
    ),
    "pooling": (
        lambda: relus(nn.Sequential(nn.Conv2d(3, 20, 3), nn.ReLU(), nn.MaxPool2d(2)), nn.Conv2d(20, 9, 3)),
        (9, 3, 31, 32),
        {"convolution", "convolution x", "max_pooling x"},
    ),
    "pooling, windows that overlap": (
        lambda: relus(nn.Sequential(nn.Conv2d(3, 20, 3), nn.ReLU(), nn.MaxPool2d(3, 2)), nn.Conv2d(20, 9, 3)),
        (9, 3, 31, 32),
        {"convolution", "convolution x", "max_pooling x"},
    ),
}


@pytest.fixture
def done_by_one(monkeypatch):
    """Which pairs of operations have been done by one kernel."""
    lookup.find("")  # loads them all
    done = set()

    def noting(pair, kernel):
        def noted(*args):
            found = kernel(*args)
            if found is not NotImplemented:
                done.add(pair)
            return found

        return noted

    monkeypatch.setattr(registry, "fused_kernels", {k: noting(k, v) for k, v in registry.fused_kernels.items()})
    return done


@small
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", FUSED.values(), ids=list(FUSED))
def test_two_operations_by_one_kernel(case, dtype, done_by_one):
    needs.kernels()
    build, shape, expected = case
    random = numpy.random.default_rng(0)
    model = build().to(dtype)

    def step(x):
        model.zero_grad()
        y = model(x)
        (y * slopes).mean().backward()
        return y, [p.grad for p in model.parameters()]

    slopes = asarray(random.normal(size=model(numpy.zeros(shape, dtype)).shape).astype(dtype))
    staged = stage(step)
    for _ in range(3):
        x = asarray(random.normal(size=shape).astype(dtype))
        same(numbers(staged(x)), numbers(step(x)))
    names = [f"{first} {of or ('of gradients' if then_of else '')}" for (first, of), (_, then_of) in done_by_one]
    assert {name.strip() for name in names} == expected
    assert staged.captures == 1


@small
def test_what_is_needed_beside_a_relu_is_not_lost():
    layer = nn.Linear(64, 300)

    @stage
    def step(x):
        y = layer(x)
        return ops.relu(y) + y, ops.relu(layer(x))

    for number in range(2):
        x = asarray(numpy.random.default_rng(number).normal(size=(60, 64)).astype("float32"))
        x = asarray(numpy.where(x.numpy() > 2.5, numpy.nan, x.numpy()))
        y = layer(x)
        same(numbers(step(x)), numbers((ops.relu(y) + y, ops.relu(y))))


@small
@pytest.mark.parametrize("relu", [True, False], ids=["with a ReLU", "without"])
@pytest.mark.parametrize("count", [1, 9])
@pytest.mark.parametrize(
    ("pool", "fits"),
    [
        (lambda: nn.MaxPool2d(2), True),
        (lambda: nn.MaxPool2d(3, 1), True),
        (lambda: nn.MaxPool2d((2, 3), (3, 2)), True),
        (lambda: nn.MaxPool2d(2, padding=1), False),
        (lambda: nn.MaxPool2d(2, dilation=2), False),
    ],
)
def test_a_convolution_of_which_the_largest_are_wanted(pool, fits, count, relu, done_by_one):
    needs.kernels()
    model = nn.Sequential(nn.Conv2d(16, 37, 3, padding=1), *[nn.ReLU()] * relu, pool())
    random = numpy.random.default_rng(0)
    use, train = stage(ichikara.no_grad()(model.__call__)), stage(model.__call__)  # the second keeps the winners
    for _ in range(2):
        x = random.normal(size=(count, 16, 31, 34)).astype("float32")
        x[-1, 3, 20, 20] = numpy.nan
        expected = numbers(model(asarray(x)))
        same(numbers(use(asarray(x))), expected)
        same(numbers(train(asarray(x))), expected)
    pooled = ("convolution then relu" if relu else "convolution", ""), ("max_pooling", registry.INFERENCE)
    assert (pooled in done_by_one) == fits


# --- use --------------------------------------------------------------------------------------------------------------


def test_a_network_in_use():
    model = vision().eval()

    @stage
    def predict(x):
        with ichikara.no_grad():
            return {"scores": model(x), "by": "the network"}

    for number in range(3):
        x = asarray(batches(4, 2, 6, 6)(number)[0])
        found = predict(x)
        assert found["by"] == "the network"
        same([found["scores"].numpy()], [model(x).detach().numpy()])
    assert predict.captures == 1


def test_arrays_come_back_as_arrays_and_may_be_given_by_name():
    @stage
    def step(x, *, scale):
        return x * scale, numpy.sum(x, axis=0), [3, None]

    for number in range(2):
        x = numpy.full((2, 3), float(number))
        product, total, rest = step(x, scale=numpy.arange(3.0))
        assert type(product) is type(total) is numpy.ndarray
        numpy.testing.assert_array_equal(product, x * numpy.arange(3.0))
        numpy.testing.assert_array_equal(total, x.sum(axis=0))
        assert rest == [3, None]
    assert step.captures == 1


def test_shapes_types_layouts_and_strings_have_captures_of_their_own():
    @stage
    def step(x, how="sum"):
        return x.sum() if how == "sum" else x.mean()

    x = numpy.arange(6.0).reshape(2, 3)
    for given in (x, x[:1], x.astype("float32"), numpy.asfortranarray(x)):
        for how in ("sum", "mean"):
            for _ in range(2):
                assert step(asarray(given), how).item() == pytest.approx(getattr(given, how)())
    assert step.captures == 8


def test_no_grad_is_part_of_a_capture():
    w = asarray(2.0, requires_grad=True)
    step = stage(lambda x: (w * x).requires_grad)
    x = asarray(1.0)
    assert step(x) is True
    with ichikara.no_grad():
        assert step(x) is False
    assert step(x) is True


def test_the_replay_that_a_call_would_be_is_there_if_it_would_be_one():
    layer = nn.Dropout(0.5)
    step = stage(lambda x: layer(x) * 2)
    x = asarray([1.0, 2.0])
    layer.eval()
    assert step.replay_of(x) is None
    step(x)
    assert step.replay_of(asarray([[1.0, 2.0]])) is None
    assert step.replay_of(asarray([3.0, 4.0]))().tolist() == [6.0, 8.0]
    layer.train()
    assert step.replay_of(x) is None
    assert step.captures == 1


def test_a_method_can_be_staged_and_a_staged_function_used_in_another():
    class Net:
        def __init__(self, w):
            self.w = asarray(w, requires_grad=True)

        @stage
        def double(self, x):
            """Twice."""
            return self.w * x * 2

    one, two = Net(1.0), Net(10.0)
    outer = stage(lambda x: one.double(x) + two.double(x))
    assert Net.double.__doc__ == "Twice."
    for x in (1.0, 2.0):
        assert one.double(asarray(x)).item() == 2 * x
        assert two.double(asarray(x)).item() == 20 * x
        assert outer(asarray(x)).item() == 22 * x


def test_the_package_can_be_called():
    assert ichikara.stage(lambda x: x + 1)(asarray(1.0)).item() == 2.0
    with pytest.raises(TypeError, match="a function can be staged"):
        ichikara.stage(3)


def test_many_captures_are_warned_of():
    step = stage(lambda x, number: x * number)
    x = asarray(1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [step(x, number).item() for number in range(16)] == list(range(16))
    with pytest.warns(UserWarning, match="give what changes from call to call as a tensor"):
        step(x, 16)


# --- what a capture depends on ----------------------------------------------------------------------------------------


def trained(staged, between):
    """A training during which something happens to it."""
    made = Training(**TRAININGS["vision"], staged=staged)
    made.run(2)
    between(made)
    made.run(3)
    return made


# What happens, and how many captures there are in the end; the gradient of a parameter that no optimiser has adds up.
CHANGES = {
    "rate": (lambda made: made.optimizer.param_groups[0].update(lr=0.5), 1),
    "evaluation": (lambda made: made.model.eval(), 2),
    "loaded": (lambda made: made.model.load_state_dict(vision().state_dict()), 1),
    "optimiser loaded": (lambda made: made.optimizer.load_state_dict(made.optimizer.state_dict()), 1),
    "buffers reset": (lambda made: made.model[1].reset_running_stats(), 1),
    "numbers": (lambda made: setattr(made.model[0].weight, "data", numpy.ones((6, 2, 3, 3))), 1),
    "frozen": (lambda made: made.model[0].requires_grad_(False), 2),
    "parameter": (lambda made: setattr(made.model[6], "bias", nn.Parameter(ichikara.ones(3))), 3),
    "double": (lambda made: made.model.to("float64") and setattr(made, "data", in_double(made.data)), 2),
}


def test_a_layer_whose_forward_another_calls_counts_too():
    class Held(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm1d(3)

        def forward(self, x):
            return self.norm.forward(x)

    model = Held()
    step, x = stage(model), asarray(batches(4, 3)(0)[0])
    step(x)
    model.norm.eval()
    same([step(x).numpy()], [model(x).detach().numpy()])


def test_only_who_asks_whether_it_is_training_depends_on_it():
    class Asks(nn.Module):
        def forward(self, x):
            return x * 2 if self.training else x

    x = asarray([1.0, 3.0])
    for model, captures in ((nn.Sequential(nn.Tanh()), 1), (nn.Sequential(nn.Tanh(), Asks()), 2)):
        step = stage(model)
        for _ in range(3):
            step(x)
        model.eval()
        same([step(x).numpy()], [ichikara.tanh(x).numpy()])
        assert step.captures == captures


def in_double(data):
    return lambda number: (data(number)[0].astype("float64"), data(number)[1])


@each_way
@pytest.mark.parametrize("name", CHANGES)
def test_what_changes_between_steps_counts(name):
    between, captures = CHANGES[name]
    ichikara.seed(1)
    eager = trained(False, between)
    ichikara.seed(1)
    staged = trained(True, between)
    same(staged.everything(), eager.everything(), rounded="float32")  # as all of them begin
    assert staged.step.captures == captures


@each_way
def test_another_group_of_parameters_is_another_capture():
    def train(staged):
        ichikara.seed(0)
        first, second = nn.Linear(3, 3), nn.Linear(3, 1)
        optimizer = optim.SGD(first.parameters(), lr=0.1)

        def step(x):
            loss = second(first(x)).sum()
            loss.backward()
            optimizer.step()
            return loss

        step = stage(step) if staged else step
        x = asarray(batches(4, 3)(0)[0])
        step(x)
        optimizer.add_param_group({"params": second.parameters(), "lr": 0.01})
        for _ in range(3):
            step(x)
        return [p.numpy() for p in (*first.parameters(), *second.parameters())]

    same(train(True), train(False))


def test_draws_are_from_the_generator_that_is_in_use():
    drop = nn.Dropout(0.5)
    step = stage(lambda x: drop(x))
    x = ichikara.ones((50,))
    for seed in (1, 2, 1):
        with ichikara.arrays.using(ichikara.Generator(seed)):
            found = [step(x).numpy() for _ in range(3)]
        with ichikara.arrays.using(ichikara.Generator(seed)):
            same(found, [drop(x).numpy() for _ in range(3)])


# --- misuse -----------------------------------------------------------------------------------------------------------

KEPT: list = []


def branches(x):
    return x if x.sum() > 0 else -x


def appends(x):
    KEPT.append(x * 2)


def assigns(x):
    appends.last = x * 2


def changes_in_place(x):
    x += 1
    return x


def sets(x):
    x[0] = 1.0
    return x


MISUSES = {
    "float": (lambda x: float(x.sum()), TypeError, "return the tensor to read it outside"),
    "item": (lambda x: x.sum().item(), TypeError, "return the tensor to read it outside"),
    "if": (branches, TypeError, r"use where\(\) instead of if"),
    "numpy": (lambda x: x.numpy(), TypeError, "return the tensor to read it outside"),
    "tolist": (lambda x: x.tolist(), TypeError, "return the tensor to read it outside"),
    "asarray": (lambda x: numpy.asarray(x), TypeError, "return the tensor to read it outside"),
    "outlives in a list": (appends, RuntimeError, "outlives a staged function"),
    "outlives as an attribute": (assigns, RuntimeError, "outlives a staged function"),
    "an index": (lambda x: list(range(3))[x.argmax()], TypeError, "return the tensor to read it outside"),
    "a mask": (lambda x: ichikara.tanh(x[x > 0]), TypeError, r"shape \(2,\).*use where\(mask, x, 0\)"),
    "a mask in a row": (lambda x: x[None][:, x > 0], TypeError, "chooses another number of elements"),
    "a new stream": (lambda x: ichikara.default_generator().spawn(), TypeError, "spawn.*cannot be replayed"),
}


@pytest.mark.parametrize("name", MISUSES)
def test_what_cannot_be_replayed_is_an_error(name):
    function, kind, words = MISUSES[name]
    with pytest.raises(kind, match=words):
        stage(function)(asarray([3.0, -1.0]))
    KEPT.clear()
    vars(appends).clear()


ARRAY_MISUSES = {
    "float": (lambda x: float(x[0]), TypeError, "numbers of a value"),
    "if": (branches, TypeError, "instead of if"),
    "asarray": (lambda x: numpy.asarray(x, dtype="float32"), TypeError, "numbers of a value"),
    "array": (lambda x: numpy.array([x, x]), TypeError, "numbers of a value"),
    "a mask": (lambda x: x[x > 0], TypeError, "chooses another number of elements"),
    "positions": (lambda x: numpy.nonzero(x), TypeError, "nonzero gives another number of elements"),
    "positions by where": (lambda x: numpy.where(x > 0), TypeError, "where gives another number of elements"),
    "in place": (changes_in_place, TypeError, r"x = x \+ y instead of x \+= y"),
    "an element": (sets, TypeError, "cannot be changed in place"),
    "outlives": (appends, RuntimeError, "outlives"),
    "unknown": (lambda x: x.ctypes, AttributeError, "ctypes"),
}


@pytest.mark.parametrize("name", ARRAY_MISUSES)
def test_what_cannot_be_replayed_of_an_array_is_an_error(name):
    function, kind, words = ARRAY_MISUSES[name]
    with pytest.raises(kind, match=words):
        stage(function)(numpy.array([3.0, -1.0]))
    KEPT.clear()


def test_a_value_that_escaped_is_of_no_use_outside():
    with pytest.raises(RuntimeError, match="outlives"):
        stage(appends)(asarray([1.0]))
    with pytest.raises(RuntimeError, match="return it"):
        KEPT[0] + 1
    with pytest.raises(RuntimeError, match="return it"):
        stage(lambda x: x + KEPT[0])(asarray([1.0]))
    KEPT.clear()


def test_a_graph_from_outside_is_an_error():
    w = asarray(2.0, requires_grad=True)
    y = w * 3
    with pytest.raises(RuntimeError, match="made outside of the staged function"):
        stage(lambda x: (x * y).backward())(asarray(1.0))


def test_the_loss_of_a_plateau_cannot_be_looked_at_inside():
    w = asarray([2.0], requires_grad=True)
    schedule = optim.ReduceLROnPlateau(optim.SGD([w], lr=0.1))
    step = stage(lambda x: schedule.step((w * x).sum()))
    for _ in range(3):
        step(asarray([1.0]))  # replayed as a whole, with the loss of each call
    assert schedule.last_epoch == 3


def test_an_error_leaves_everything_usable():
    made = Training(**TRAININGS["vision"], staged=False)
    x, y = map(asarray, made.data(0))

    @stage
    def fails(x, y):
        made.eager(x, y)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails(x, y)
    assert all(type(p.grad.numpy()) is numpy.ndarray for p in made.model.parameters())
    assert type(made.model[1].running_mean.numpy()) is numpy.ndarray
    made.run(2)


@each_way
def test_labels_are_checked_in_each_replay():
    step = stage(lambda x, y: ichikara.cross_entropy(x, y))
    x = asarray([[1.0, 2.0], [0.0, 1.0]])
    assert step(x, asarray([0, 1])).item() == pytest.approx(ichikara.cross_entropy(x, [0, 1]).item())
    assert step(x, asarray([-100, 1])).item() == pytest.approx(ichikara.cross_entropy(x, [-100, 1]).item())
    with pytest.raises(ValueError, match="label -1 was given for 2 classes"):
        step(x, asarray([-1, 1]))


@each_way
def test_labels_that_do_not_count_may_come_after_the_capture():
    def step(u, y):
        u = asarray(u, requires_grad=True)
        ichikara.cross_entropy(u, y).backward()
        return u.grad

    u, staged = batches(4, 3)(0)[0], stage(step)
    for labels in ([0, 1, 2, 0], [0, -100, 2, -100]):
        same([staged(u, asarray(labels)).numpy()], [step(u, asarray(labels)).numpy()])
    assert staged.captures == 1


@each_way
def test_two_trainings_in_threads():
    expected = {}
    for seed, name in enumerate(("adam", "vision")):
        made = Training(**TRAININGS[name], staged=False)
        generator = ichikara.Generator(seed)
        with ichikara.arrays.using(generator):
            made.run(20)
        expected[name] = made.everything()
    trainings = {name: Training(**TRAININGS[name], staged=True) for name in expected}

    def run(seed, name):
        with ichikara.arrays.using(ichikara.Generator(seed)):
            trainings[name].run(20)

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(expected)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, training in trainings.items():
        same(training.everything(), expected[name])


def test_a_capture_ends_while_another_thread_collects_garbage(monkeypatch):
    collect, busy = gc.collect, [True]
    monkeypatch.setattr(gc, "collect", lambda: 0 if busy and busy.pop() else collect())

    @stage
    def step(x):
        y = x * x
        circle = [y]
        circle.append(circle)
        return y + 1

    assert step(asarray([2.0])).tolist() == step(asarray([2.0])).tolist() == [5.0]
    assert not busy


def test_one_network_may_be_used_in_one_thread_while_another_records():
    model = mlp()
    x = asarray(batches(6, 5)(0)[0])
    expected = model(x).detach().numpy()
    begun, done = threading.Event(), threading.Event()

    def slow(x):
        y = model(x)
        begun.set()
        assert done.wait(10)
        return model(x) + y

    thread = threading.Thread(target=stage(slow), args=(x,))
    thread.start()
    assert begun.wait(10)
    same([model(x).detach().numpy()], [expected])
    done.set()
    thread.join()


@each_way
def test_threads_that_replay_the_same_step_do_not_disturb_each_other():
    model = nn.Sequential(nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 128))
    use = stage(ichikara.no_grad()(model.__call__))
    inputs = [asarray(batches(160, 128)(number)[0]) for number in range(4)]
    expected = [model(x).detach().numpy() for x in inputs]
    use(inputs[0])
    wrong: list = []

    def go_on(x, y):
        for _ in range(40):
            if not numpy.allclose(use(x).numpy(), y, rtol=1e-4, atol=1e-5):
                wrong.append(x)

    threads = [threading.Thread(target=go_on, args=pair) for pair in zip(inputs, expected, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@each_way
@pytest.mark.parametrize("taken", [lambda w: w.detach(), lambda w: ichikara.ops.reshape(w.detach(), (-1,))[2:]])
def test_what_was_taken_of_a_parameter_before_an_update_stays_as_it_was(taken):
    def changes(staged):
        ichikara.seed(0)
        model = nn.Sequential(nn.Linear(128, 256), nn.ReLU(), nn.Linear(256, 2))
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        def step(x):
            before = [taken(p) for p in model.parameters()]
            optimizer.zero_grad()
            (model(x) ** 2).mean().backward()
            optimizer.step()
            return [taken(p) - b for p, b in zip(model.parameters(), before, strict=True)], before[0]

        step = stage(step) if staged else step
        found = []
        for number in range(7):
            some, first = step(asarray(batches(160, 128)(number)[0]))
            found += [*some, first]
        return [tensor.numpy() for tensor in found]

    for found, wanted in zip(changes(True), changes(False), strict=True):
        numpy.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-6)


@each_way
def test_steps_that_take_turns_do_not_disturb_each_other():
    """They have the same memory in turns; only what they leave behind is their own."""

    def train(staged):
        ichikara.seed(0)
        model = nn.Sequential(nn.Linear(128, 256), nn.ReLU(), nn.Linear(256, 128))
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        def step(x, scale):
            optimizer.zero_grad()
            loss = (model(x) * scale).mean()
            loss.backward()
            optimizer.step()
            return loss

        use = ichikara.no_grad()(model.__call__)
        if staged:
            step, use = stage(step), stage(use)
        found = []
        for number in range(8):
            x, fewer = asarray(batches(160, 128)(number)[0]), asarray(batches(130, 128)(number)[0])
            found += [step(x, 2.0), use(x), step(fewer, 3.0), model[0].weight.grad, use(fewer), model[2].bias.grad]
        return [tensor.numpy() for tensor in found]

    for found, wanted in zip(train(True), train(False), strict=True):
        numpy.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


@each_way
def test_results_that_somebody_keeps_stay_as_they_were():
    """Also large ones, and parts of what is used further on."""
    model, wanted = nn.Sequential(nn.Linear(128, 256), nn.ReLU(), nn.Linear(256, 256)), asarray(0.0)

    @stage
    def step(x):
        model.zero_grad()
        y = model(x)
        loss = ((y - wanted) ** 2).mean()
        loss.backward()
        return y, y[:3], loss, ichikara.ops.permute_dims(model[0].weight, (1, 0))

    kept = []
    for number in range(7):
        found = step(asarray(batches(160, 128)(number)[0]))
        kept.append((found, [tensor.numpy().copy() for tensor in found]))
    for found, copies in kept:
        same([tensor.numpy() for tensor in found], copies)
    y = model(asarray(batches(160, 128)(6)[0]))
    same([kept[-1][0][0].numpy()], [y.detach().numpy()])


@each_way
def test_what_is_replaced_between_replays_counts_at_once():
    model = nn.Sequential(nn.Linear(128, 256), nn.ReLU(), nn.Linear(256, 2))
    use = stage(ichikara.no_grad()(model.__call__))
    x = asarray(batches(160, 128)(0)[0])
    for number in range(24):
        same([use(x).numpy()], [model(x).detach().numpy()])
        if number % 6 == 5:
            model.load_state_dict({name: value * 0.5 for name, value in model.state_dict().items()})


def test_a_replay_holds_no_more_than_it_needs():
    """Large values are let go of when they have been used for the last time."""
    size = 1 << 14
    chain = stage(lambda x: ((((x + 1.0) * 2.0).tanh() + 1.0) * 2.0).tanh().sum())
    x = asarray(numpy.zeros(size, "float32"))
    chain(x)
    import tracemalloc

    for number in range(5):
        tracemalloc.start()
        chain(x)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        # What is kept for those to come is made once.
        assert number == 2 or peak < 3 * x.numpy().nbytes


@each_way
def test_indices_beyond_a_table_are_refused_in_every_replay():
    table = asarray(numpy.arange(12, dtype="float32").reshape(4, 3), requires_grad=True)
    use = stage(lambda indices: ichikara.embedding(indices, table) * 2)
    for number in range(8):
        found = use(asarray([number % 4, -1 - number % 4]))
        numpy.testing.assert_array_equal(found.numpy(), 2 * table.numpy()[[number % 4, -1 - number % 4]])
        with pytest.raises(IndexError, match="indices from 0 to 4 do not fit an axis of length 4"):
            use(asarray([0, 4]))


PARTS = [0, -1, (0, 1), (1, ..., 0), (2, 0, 1), (slice(None), 1), (None, 1), slice(1, None), ...]


@each_way
@pytest.mark.parametrize("index", PARTS)
@pytest.mark.parametrize("before", [slice(None), (slice(None), slice(1, None))])
def test_the_gradient_of_a_part_of_what_lies_in_another_order(before, index):
    x = asarray(numpy.arange(2 * 4 * 3, dtype="float32").reshape(2, 4, 3), requires_grad=True)

    def step():
        x.grad = None
        whole = x if before == slice(None) else x[before]
        part = ichikara.permute_dims(whole, (-1, 0, 1))[index]
        (part * part).sum().backward()
        return x.grad * 1

    staged = stage(step)
    for _ in range(6):
        same([staged().numpy()], [step().numpy()])


@small
def test_a_replay_of_many_asks_no_kernel_again(monkeypatch):
    needs.kernels()
    asked, known = [], lookup.find("linear")[""]

    def linear(x, weight, bias):
        asked.append(x)
        return known(x, weight, bias)

    monkeypatch.setitem(registry.kernels["linear"], "", linear)
    model = nn.Linear(128, 128)
    use = stage(lambda x: model(x).sum())
    for number in range(8):
        x = asarray(batches(256, 128)(number)[0])
        numpy.testing.assert_allclose(use(x).numpy(), model(x).sum().numpy(), rtol=1e-3)
        asked.clear() if number < 4 else None
    assert len(asked) == 4  # by the eager steps
