"""The table of a model."""

import numpy as np
import pytest

import ichikara
from ichikara import nn
from ichikara.errors import UserError


class Branches(nn.Module):
    """Two tied layers, one that is not called, and two outputs."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Flatten(), nn.Sequential(nn.Linear(12, 8), nn.ReLU()))
        self.a = nn.Linear(8, 3)
        self.b = nn.Linear(8, 3)
        self.b.weight = self.a.weight
        self.unused = nn.Linear(2, 2, bias=False).requires_grad_(False)

    def forward(self, x):
        h = self.features(x)
        return self.a(h), {"b": self.b(h)}


EXPECTED = """\
Layer (type)             Output shape    Parameters
===================================================
Branches                 (5, 3), (5, 3)           0
  features (Sequential)  (5, 8)                   0
    0 (Flatten)          (5, 12)                  0
    1 (Sequential)       (5, 8)                   0
      0 (Linear)         (5, 8)                 104
      1 (ReLU)           (5, 8)                   0
  a (Linear)             (5, 3)                  27
  b (Linear)             (5, 3)                   3
  unused (Linear)        -                        4
===================================================
Parameters: 138
  trainable: 134, not trainable: 4
  memory: 552 bytes"""


def test_the_table_is_what_people_expect():
    table = nn.summary(Branches(), (5, 3, 4))
    assert str(table) == repr(table) == EXPECTED
    assert (table.total_parameters, table.trainable_parameters, table.parameter_bytes) == (138, 134, 552)
    assert table.rows[4] == nn.Row("features.1.0", "Linear", 3, ((5, 8),), 104, 104)
    assert table.rows[-1] == nn.Row("unused", "Linear", 1, (), 4, 0)
    assert table.total_parameters == sum(p.size for p in Branches().parameters())


@pytest.mark.parametrize(
    "given",
    [(5, 3, 4), np.zeros((5, 3, 4), dtype="float32"), ichikara.zeros((5, 3, 4)), (np.zeros((5, 3, 4)),)],
    ids=["shape", "array", "tensor", "tuple"],
)
def test_the_input_is_a_shape_an_array_a_tensor_or_several(given):
    assert str(nn.summary(Branches(), given)) == EXPECTED


def test_several_inputs():
    class Sum(nn.Module):
        def forward(self, a, b):
            return a + b

    assert nn.summary(Sum(), (np.zeros((2, 3)), np.zeros(3))).rows[0].output_shapes == ((2, 3),)


def test_a_shape_stands_for_numbers_of_the_models_type():
    seen = []
    net = nn.Linear(2, 1, dtype="float64")
    net.register_forward_pre_hook(lambda module, args: seen.append(args[0].dtype))
    assert nn.summary(net, (1, 2)).parameter_bytes == 24
    assert seen == ["float64"]


def test_the_model_is_left_as_it_was():
    net = nn.Sequential(nn.Linear(2, 2), nn.Dropout(), nn.Sequential(nn.Dropout()))
    net[2].eval()
    flags = [m.training for m in net.modules()]
    before = ichikara.default_generator().state
    recorded = []
    handle = net.register_forward_hook(lambda module, args, output: recorded.append(output.requires_grad))
    nn.summary(net, (4, 2))
    assert recorded == [False]
    handle.remove()
    with pytest.raises(UserError, match="takes inputs of shape"):
        nn.summary(net, (4, 3))
    assert [m.training for m in net.modules()] == flags == [True, True, True, False, False]
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
    assert ichikara.default_generator().state == before
    assert ichikara.is_grad_enabled()
    assert all(p.grad is None for p in net.parameters())


def test_a_wide_table_is_cut_to_eighty_columns():
    inner = nn.Sequential(nn.Linear(2, 2))
    for _ in range(12):
        inner = nn.Sequential({"a_block_with_a_rather_long_name": inner})

    class Many(nn.Module):
        def forward(self, x):
            return [x] * 30

    net = nn.Sequential(inner, Many())
    lines = str(nn.summary(net, (1, 2))).splitlines()
    assert max(map(len, lines)) == 80
    assert any("..." in line for line in lines)


def test_large_numbers_are_readable():
    text = str(nn.summary(nn.Sequential(nn.Linear(784, 1000), nn.Linear(1000, 10)), (1, 784)))
    assert "785,000" in text
    assert text.endswith(
        "Parameters: 795,010\n  trainable: 795,010, not trainable: 0\n  memory: 3,180,040 bytes (3.0 MiB)"
    )


def test_misuse_is_answered_in_words():
    with pytest.raises(TypeError, match=r"summary\(\) is of a module, such as Sequential\(…\), not type"):
        nn.summary(nn.Linear, (1, 2))
    with pytest.raises(UserError, match=r"a shape has lengths of at least 0, and this is \(-1, 2\)"):
        nn.summary(nn.Linear(2, 2), (-1, 2))
