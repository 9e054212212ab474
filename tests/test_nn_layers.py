"""Every layer and every loss against PyTorch: one table, one contract."""

import inspect
import math
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of the layers; install torch to run these")

from contract_layers import check_layer  # noqa: E402

import ichikara  # noqa: E402
from ichikara import nn  # noqa: E402
from ichikara.errors import UserError  # noqa: E402


class Step(torch.nn.Module):
    """The unit step, which PyTorch has not."""

    def __init__(self, threshold=0.0):
        super().__init__()
        self.threshold = threshold

    def forward(self, input):
        return (input > self.threshold).to(input.dtype)

    def extra_repr(self):
        return f"threshold={self.threshold}"


@dataclass(repr=False)
class Case:
    """A layer, as ours and PyTorch's are made with the same words, and what it is given."""

    kind: str
    args: tuple = ()
    words: dict = field(default_factory=dict)
    inputs: tuple = ()
    options: dict = field(default_factory=dict)

    def make(self, library: Any):
        def convert(value):
            if isinstance(value, np.ndarray):
                return torch.from_numpy(value) if library is torch.nn else ichikara.asarray(value)
            return value.make(library) if isinstance(value, Case) else value

        kind = Step if self.kind == "Step" and library is torch.nn else getattr(library, self.kind)
        return kind(*map(convert, self.args), **{name: convert(value) for name, value in self.words.items()})

    def __repr__(self):
        words = ["array" if isinstance(a, np.ndarray) else repr(a) for a in self.args] + [
            f"{name}=array" if isinstance(value, np.ndarray) else f"{name}={value}"
            for name, value in self.words.items()
        ]
        shapes = " ".join(str(x.shape) for x in self.inputs)
        return f"{self.kind}({', '.join(words)}) {shapes}".rstrip()


random = np.random.default_rng(0)


def normal(*shape):
    return random.normal(size=shape) * 2


def uniform(*shape):
    return random.uniform(0.05, 0.95, size=shape)


def labels(*shape, classes=5, ignored=None):
    drawn = random.integers(classes, size=shape)
    if ignored is not None:
        drawn.reshape(-1)[::3] = ignored
    return drawn


def bits(*shape):
    return random.integers(2, size=shape).astype("float64")


def simplex(*shape):
    drawn = random.uniform(0.1, 1.0, size=shape)
    return drawn / drawn.sum(1, keepdims=True)


IMAGE = normal(3, 2, 4, 5)
ROWS = normal(6, 5)
WEIGHT = random.uniform(0.2, 2.0, size=5).astype("float32")
ELEMENTWISE = [
    Case("Identity"),
    Case("Step"),
    Case("Step", (0.5,)),
    Case("Sigmoid"),
    Case("Tanh"),
    Case("ReLU"),
    Case("LeakyReLU"),
    Case("LeakyReLU", (0.03,)),
    Case("ELU"),
    Case("ELU", words={"alpha": 0.5}),
    Case("GELU"),
    Case("GELU", ("tanh",)),
    Case("SiLU"),
    Case("Softplus"),
    Case("Softplus", (2.0, 1.0)),
    Case("Softmax", (1,)),
    Case("Softmax", (-1,)),
    Case("LogSoftmax", (1,)),
    Case("LogSoftmax", (-1,)),
    Case("Flatten"),
    Case("Flatten", (0, 1)),
    Case("Flatten", (2,)),
    Case("Unflatten", (1, (2, 1))),
    Case("Unflatten", (-1, (-1, 5))),
    Case("Dropout", (0.0,), options={"extras": ["generator"]}),
    Case("Dropout", (1.0,), options={"extras": ["generator"]}),
    Case("Dropout", options={"extras": ["generator"], "trains": False}),
]
LAYERS = [Case(c.kind, c.args, c.words, (IMAGE,), c.options) for c in ELEMENTWISE]
LAYERS += [
    Case("Linear", (5, 4), inputs=(ROWS,)),
    Case("Linear", (5, 4), {"bias": False}, (ROWS,)),
    Case("Linear", (5, 1), inputs=(IMAGE,)),
    Case("Linear", (5, 4), inputs=(normal(5),), options={"batches": ()}),
    Case("Flatten", (0,), inputs=(ROWS,)),
    Case("Softmax", (0,), inputs=(normal(4),), options={"batches": ()}),
    Case("Sequential", inputs=(IMAGE,)),
    Case("Sequential", (Case("Linear", (5, 4)), Case("Tanh"), Case("Linear", (4, 2), {"bias": False})), inputs=(ROWS,)),
    Case("Sequential", (Case("Flatten"), Case("Sequential", (Case("Linear", (40, 3)), Case("ReLU")))), inputs=(IMAGE,)),
]
# What is nan in PyTorch, the mean over nothing, is not compared: NumPy warns of it.
ANY, SOME = {}, {"batches": (1,)}
REDUCTIONS = [({}, SOME), ({"reduction": "sum"}, ANY), ({"reduction": "none"}, ANY)]
LOSSES = []
for more, options in REDUCTIONS:
    LOSSES += [
        Case("L1Loss", (), more, (ROWS, normal(6, 5)), options),
        Case("MSELoss", (), more, (ROWS, normal(6, 5)), options),
        Case("HuberLoss", (), more, (ROWS, normal(6, 5)), options),
        Case("HuberLoss", (), {"delta": 0.3, **more}, (ROWS, normal(6, 5)), options),
        Case("BCELoss", (), more, (uniform(6, 5), bits(6, 5)), {**options, "constant": [1]}),
        Case("BCELoss", (WEIGHT,), more, (uniform(6, 5), uniform(6, 5)), {**options, "constant": [1]}),
        Case("BCEWithLogitsLoss", (), more, (ROWS, uniform(6, 5)), options),
        Case("BCEWithLogitsLoss", (WEIGHT,), {**more, "pos_weight": WEIGHT + 1}, (ROWS, uniform(6, 5)), options),
        Case("NLLLoss", (), more, (ROWS, labels(6)), options),
        Case("NLLLoss", (WEIGHT,), {**more, "ignore_index": 2}, (ROWS, labels(6)), {"batches": ()}),
        Case("NLLLoss", (), more, (normal(3, 5, 4, 2), labels(3, 4, 2)), options),
        Case("CrossEntropyLoss", (), more, (ROWS, labels(6)), options),
        Case("CrossEntropyLoss", (WEIGHT,), more, (ROWS, labels(6)), options),
        Case("CrossEntropyLoss", (), more, (ROWS, labels(6, ignored=-100)), {"batches": ()}),
        Case("CrossEntropyLoss", (WEIGHT,), {**more, "ignore_index": 3}, (ROWS, labels(6, ignored=3)), {"batches": ()}),
        Case("CrossEntropyLoss", (), {**more, "label_smoothing": 0.1}, (ROWS, labels(6)), options),
        Case(
            "CrossEntropyLoss",
            (WEIGHT,),
            {**more, "label_smoothing": 0.2, "ignore_index": 1},
            (normal(3, 5, 4), labels(3, 4, ignored=1)),
            {"batches": ()},
        ),
        Case("CrossEntropyLoss", (), more, (ROWS, simplex(6, 5)), options),
        Case("CrossEntropyLoss", (WEIGHT,), {**more, "label_smoothing": 0.1}, (ROWS, simplex(6, 5)), options),
        Case("CrossEntropyLoss", (WEIGHT,), more, (normal(3, 5, 4), simplex(3, 5, 4)), options),
        Case("CrossEntropyLoss", (), more, (normal(5), np.asarray(2)), {"batches": ()}),
    ]
TABLE = LAYERS + LOSSES

# Containers whose modules are called by the module that holds them; tests/test_nn_module.py is about them.
WITHOUT_FORWARD = {"Module", "ModuleList", "ModuleDict", "ParameterList"}
# Modules of tests whose KINDS are the layers that they compare with PyTorch's.
ELSEWHERE = ["test_nn_sequence", "test_nn_vision"]


@pytest.mark.parametrize("case", TABLE, ids=str)
def test_a_layer_is_pytorchs(case):
    check_layer(case.make(nn), case.make(torch.nn), *case.inputs, **case.options)


def test_every_exported_layer_is_in_the_table():
    exported = {n for n in nn.__all__ if inspect.isclass(getattr(nn, n)) and issubclass(getattr(nn, n), nn.Module)}
    elsewhere = set().union(*(import_module(name).KINDS for name in ELSEWHERE))
    assert exported - WITHOUT_FORWARD == {case.kind for case in TABLE} | elsewhere
    assert all(getattr(nn, name).forward is nn.Module.forward for name in WITHOUT_FORWARD)


# --- the contract is itself tested: it fails for a layer that breaks it ----------------------------------------------


class Louder(nn.Linear):
    def forward(self, input):
        return super().forward(input) * 1.0001


class WithoutSlope(nn.Linear):
    def forward(self, input):
        return ichikara.ops.linear(input, self.weight.detach(), self.bias)


class HalfSlope(nn.Linear):
    def forward(self, input):
        return ichikara.ops.linear(input, self.weight, (self.bias + self.bias.detach()) / 2)


class Widening(nn.Linear):
    def forward(self, input):
        return super().forward(input).astype("float64")


class Renamed(nn.Linear):
    def __init__(self, in_features, out_features, bias=True, *, dtype=None):
        super().__init__(in_features, out_features, bias, dtype=dtype)
        self.weights = self.weight
        del self.weight

    def forward(self, input):
        return ichikara.ops.linear(input, self.weights, self.bias)


class WithoutBias(nn.Linear):
    def __init__(self, in_features, out_features, bias=False, *, dtype=None):
        super().__init__(in_features, out_features, bias=True, dtype=dtype)


class Turned(nn.Linear):
    def __init__(self, out_features, in_features, bias=True, *, dtype=None):
        super().__init__(in_features, out_features, bias, dtype=dtype)


class Unshaped(nn.Linear):
    def forward(self, input):
        return super().forward(input).reshape((-1,))


class Writing(nn.Linear):
    def forward(self, input):
        y = super().forward(input)
        input._data += 1
        return y


class Silent(nn.Linear):
    def extra_repr(self):
        return ""


@pytest.mark.parametrize(
    ("kind", "complaint"),
    [
        (Louder, "value"),
        (WithoutSlope, "gradient of weight: one of the two is None"),
        (HalfSlope, "gradient of bias"),
        (Widening, "float64, PyTorch gives torch.float32"),
        (Renamed, "keys"),
        (WithoutBias, "bias is False by default"),
        (Turned, "arguments"),
        (Unshaped, "shape"),
        (Writing, "an input was changed"),
        (Silent, "PyTorch has Linear"),
    ],
)
def test_the_contract_turns_a_wrong_layer_down(kind, complaint):
    kind.__name__ = "Linear"
    with pytest.raises(AssertionError, match=complaint):
        check_layer(kind(5, 5), torch.nn.Linear(5, 5), ROWS)


# --- what the table cannot say ----------------------------------------------------------------------------------------


def test_step_is_silent_at_its_threshold():
    assert nn.Step()([-1.0, -0.0, 0.0, 1e-30]).tolist() == [0, 0, 0, 1]
    assert nn.Step(0.5)([0.5, 0.6]).tolist() == [0, 1]


def test_dropout_keeps_the_expected_value_and_drops_the_stated_part():
    x = ichikara.ones((200_000,), requires_grad=True)
    drop = nn.Dropout(0.3, generator=ichikara.Generator(0))
    y = drop(x)
    kept = y.numpy() != 0
    assert abs(kept.mean() - 0.7) < 4 * math.sqrt(0.21 / 200_000)
    assert np.allclose(y.numpy()[kept], 1 / 0.7, rtol=1e-6)
    y.sum().backward()
    assert np.array_equal(x.grad.numpy(), y.numpy())  # what was dropped learns nothing, the rest is scaled alike
    other = drop(x).numpy() != 0
    assert abs((kept == other).mean() - (0.49 + 0.09)) < 0.01  # a new mask, independent of the last one


def test_dropout_draws_from_the_default_generator_at_the_time_of_the_call():
    drop, x = nn.Dropout(0.5), np.ones(64, dtype="float32")
    ichikara.seed(7)
    first = drop(x).numpy()
    ichikara.seed(7)
    assert np.array_equal(drop(x).numpy(), first)
    with ichikara.arrays.using(ichikara.Generator(7)):
        assert np.array_equal(drop(x).numpy(), first)
    before = ichikara.default_generator().state
    drop.eval()(x)
    nn.Dropout(0.0)(x)
    assert ichikara.default_generator().state == before  # nothing is drawn that is not needed


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_dropout_keeps_the_type(dtype):
    assert nn.Dropout(0.5)(np.ones(8, dtype=dtype)).dtype == dtype


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan, "half", None, True])
def test_dropout_refuses_what_is_no_probability(p):
    with pytest.raises(UserError, match="p is a number from 0 to 1, not"):
        nn.Dropout(p)


def test_a_softmax_without_dim_takes_the_last_axis_of_rows_and_asks_for_it_elsewhere():
    assert np.allclose(nn.Softmax()(ROWS).numpy().sum(1), 1)
    with pytest.raises(UserError, match=r"Softmax\(dim=None\): say which axis of \(3, 2, 4, 5\)"):
        nn.Softmax()(IMAGE)
    with pytest.raises(UserError, match=r"LogSoftmax\(dim=2\): an input of shape \(6, 5\) has no axis 2"):
        nn.LogSoftmax(2)(ROWS)


def test_a_linear_layer_says_what_it_takes():
    with pytest.raises(UserError, match=r"Linear\(in_features=4.*takes inputs of shape \(\*, 4\).*shape \(6, 5\)$"):
        nn.Linear(4, 2)(ROWS)
    with pytest.raises(UserError, match="put Flatten"):
        nn.Linear(40, 2)(IMAGE)
    with pytest.raises(UserError, match=r"shape \(\)"):
        nn.Linear(4, 2)(np.asarray(1.0))
    for wrong in (0, -1, 2.5, "4", True, None):
        with pytest.raises(UserError, match="in_features is a whole number of at least 1"):
            nn.Linear(wrong, 2)
    assert nn.Linear(4, 2, dtype="float64").weight.dtype == "float64"


def test_reshaping_layers_say_what_does_not_fit():
    with pytest.raises(UserError, match="has no axis 1; is the axis of the batch missing"):
        nn.Flatten()(np.ones(3))
    with pytest.raises(UserError, match="axis 3 comes after axis 1"):
        nn.Flatten(3, 1)(IMAGE)
    with pytest.raises(UserError, match="does not have these lengths"):
        nn.Unflatten(1, (2, 2))(ROWS)
    with pytest.raises(UserError, match="does not have these lengths"):
        nn.Unflatten(1, (-1, 2))(ROWS)
    with pytest.raises(UserError, match="unflattened_size is a tuple"):
        nn.Unflatten(1, 4)
    assert nn.Unflatten(1, (-1, 5))(np.ones((0, 10))).shape == (0, 2, 5)


@pytest.mark.parametrize("kind", [case.kind for case in LOSSES[: len(LOSSES) // 3]])
def test_every_loss_refuses_an_unknown_reduction(kind):
    with pytest.raises(UserError, match="unknown reduction 'avg'"):
        getattr(nn, kind)(reduction="avg")


def test_losses_say_what_does_not_fit():
    with pytest.raises(ValueError, match=r"shape \(6, 5\) and the targets \(6,\)"):
        nn.MSELoss()(ROWS, np.ones(6))
    with pytest.raises(ValueError, match="label 5 was given for 5 classes"):
        nn.CrossEntropyLoss()(ROWS, np.full(6, 5))
    with pytest.raises(UserError, match="label_smoothing is a number from 0 to 1"):
        nn.CrossEntropyLoss(label_smoothing=1.5)
    with pytest.raises(UserError, match="delta is a number above 0"):
        nn.HuberLoss(delta=0)
    with pytest.raises(ValueError, match="one number for each of the 5 classes"):
        nn.CrossEntropyLoss(weight=np.ones(4))(ROWS, np.zeros(6, dtype=int))
    with pytest.raises(UserError, match="weight of BCELoss has shape"):
        nn.BCELoss(weight=np.ones((6, 1)))(np.full(6, 0.5), np.ones(6))
    with pytest.raises(UserError, match="pos_weight of BCEWithLogitsLoss has shape"):
        nn.BCEWithLogitsLoss(pos_weight=np.ones(4))(ROWS, np.ones((6, 5)))


def test_weights_do_not_widen_a_loss():
    weight = np.ones(5)  # float64, as NumPy makes it
    rows, targets = ROWS.astype("float32"), np.ones((6, 5), dtype="float32")
    assert nn.CrossEntropyLoss(weight)(rows, np.zeros(6, dtype=int)).dtype == "float32"
    assert nn.BCEWithLogitsLoss(weight, pos_weight=weight)(rows, targets).dtype == "float32"


def test_wrong_words_are_answered_with_the_right_ones():
    with pytest.raises(UserError, match="unknown approximation of GELU 'tan'; did you mean 'tanh'"):
        nn.GELU("tan")
    with pytest.raises(UserError, match="beta is a number above 0"):
        nn.Softplus(beta=0)
    with pytest.raises(TypeError, match=r"generator is a Generator, such as ichikara\.Generator\(0\), not 0"):
        nn.Dropout(0.5, generator=0)
