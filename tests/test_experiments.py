"""The published experiments, in a short form: what comes out ahead there comes out ahead here."""

import importlib.util
import itertools
import math
from pathlib import Path

import numpy
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def example(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def table(capsys):
    """The rows that were printed, as cells."""
    return [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]


# --- ゼロから作る Deep Learning, chapter 6 ------------------------------------------------------------------------


def test_from_small_weights_nothing_is_learnt_and_he_is_faster_than_xavier_with_relu(capsys):
    result = example("initialisation").main(steps=300, seed=1)
    first = {start: numpy.mean(losses[:10]) for start, losses in result.items()}
    last = {start: numpy.mean(losses[-50:]) for start, losses in result.items()}
    assert first["std 0.01"] == pytest.approx(math.log(10), abs=1e-3)
    assert last["std 0.01"] == pytest.approx(math.log(10), abs=1e-3)
    assert last["Xavier"] < 0.8 * first["Xavier"]
    assert last["He"] < 0.5 * last["Xavier"]
    reached = {start: next(i for i, loss in enumerate(result[start]) if loss < 2.0) for start in ("Xavier", "He")}
    assert reached["He"] < 0.6 * reached["Xavier"]
    rows = table(capsys)
    assert rows[-1][0] == "He"
    assert float(rows[-1][-1]) == pytest.approx(last["He"], abs=1e-4)


def test_sigmoids_saturate_from_a_deviation_of_1_agree_from_a_small_one_and_spread_from_xaviers():
    activations = example("initialisation").activations
    extreme = lambda y: ((y < 0.05) | (y > 0.95)).mean()
    for y in activations("std 1"):
        assert extreme(y) > 0.6
    for y in activations("std 0.01")[1:]:
        assert extreme(y) == 0
        assert abs(y - 0.5).max() < 0.1
        assert y.std() < 0.02  # all neurons say the same
    for y in activations("Xavier"):
        assert extreme(y) < 0.01
        assert 0.1 < y.std() < 0.25
    outputs = activations("std 1")
    assert len(outputs) == 5
    assert all(y.shape == (1000, 100) for y in outputs)


def test_batch_norm_trains_faster_over_many_initial_scales(capsys):
    scales = (1.0, 0.1, 0.01, 0.001)
    result = example("batch_norm").main(epochs=8, scales=scales)
    assert list(result) == list(scales)
    for without, with_norm in result.values():
        assert with_norm[-1] > 2 * without[-1]
        assert numpy.mean(with_norm) > numpy.mean(without)
    assert result[1.0][0] == [0.1] * 8  # which overflowed
    assert max(result[0.01][0]) < 0.15  # which learns nothing at all
    assert result[0.01][1][-1] > 0.95
    assert [row[0] for row in table(capsys)][-4:] == ["1", "0.1", "0.01", "0.001"]


def test_at_the_right_scale_a_network_learns_without_batch_norm_too():
    module = example("batch_norm")
    ((without, with_norm),) = module.main(epochs=8, scales=[0.3]).values()
    assert without[-1] > 0.85
    assert with_norm[-1] > 0.4


def test_weight_decay_and_dropout_shrink_the_gap_to_new_images(capsys):
    result = example("regularisation").main(epochs=80)
    plain = result["plain"]
    gap = lambda row: row["train"] - row["new"]
    loss_gap = lambda row: row["new_loss"] - row["train_loss"]
    assert plain["train"] > 0.99
    for name in ("weight decay", "dropout"):
        assert gap(result[name]) < 0.9 * gap(plain)
        assert loss_gap(result[name]) < 0.8 * loss_gap(plain)
        assert result[name]["train"] < plain["train"]
        assert result[name]["new"] > 0.85
    assert [row[0] for row in table(capsys)][-3:] == ["plain", "weight", "dropout"]


# --- the lecture's overfitting ----------------------------------------------------------------------------------------


def test_a_high_degree_learns_the_noise_and_l2_and_early_stopping_mend_it(capsys):
    result = example("overfitting").main(degrees=(1, 3, 15), epochs=1500)
    line, cubic, high = (result[f"degree {degree}"] for degree in (1, 3, 15))
    mended = [result["degree 15, L2 0.01"], result["degree 15, stopped early"]]
    assert high["train"] < cubic["train"] < line["train"]
    assert high["new"] > 100 * high["train"]  # train loss ≪ loss on new points
    assert high["new"] > 10 * cubic["new"]
    assert cubic["new"] < 0.5 * line["new"]
    for each in mended:
        assert each["new"] < 0.1 * high["new"]
        assert each["new"] < 1.1 * cubic["new"]
        assert each["train"] > high["train"]
        assert each["largest"] < 0.5 * high["largest"]  # overfitted weights are huge
    assert mended[1]["epochs"] < 500
    assert len(table(capsys)) == 1 + 5


# --- universal approximation ------------------------------------------------------------------------------------------


def test_the_error_falls_as_neurons_are_added(capsys):
    result = example("universal").main(counts=(5, 20, 80, 320), sides=(2, 4, 8, 16), widths=(2, 10, 40), epochs=600)
    for before, after in itertools.pairwise(result["bumps"]):
        assert after < 0.35 * before  # four times as many bumps: about a quarter of the error
    for before, after in itertools.pairwise(result["towers"]):
        assert after < 0.65 * before
    for before, after in itertools.pairwise(result["trained"]):
        assert after < 0.6 * before
    assert result["bumps"][-1] < 0.003
    assert result["trained"][2] < result["bumps"][1]  # 40 neurons each: learnt is better than set
    assert table(capsys)[1][0] == "10"
