"""The systems of the lecture: each does what the lecture says of it."""

import contextlib
import itertools

import numpy
import pytest

import ichikara
from ichikara import nn, ops, optim, zoo
from ichikara.arrays import Generator
from ichikara.data import load_blobs, load_reverse, load_xor
from ichikara.data.functions import curve, surface
from ichikara.errors import UserError
from ichikara.recipes.generate import write_on
from ichikara.train import Objective

CORNERS = load_xor()
CLOUDS = load_blobs(200, centers=[[-2.0, -1.5], [2.0, 1.5]], cluster_std=0.8)

# --- the perceptron ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answers", [(0, 0, 0, 1), (0, 1, 1, 1), (1, 0, 0, 0), (1, 1, 0, 0)])
def test_a_perceptron_learns_what_a_line_separates(answers):
    perceptron = zoo.Perceptron(2)
    perceptron.learn(CORNERS.inputs, answers)
    assert perceptron.fire(CORNERS.inputs).tolist() == list(answers)


def test_a_perceptron_cannot_learn_xor_and_says_so():
    with pytest.raises(ValueError, match="no straight line"):
        zoo.Perceptron(2).learn(CORNERS.inputs, CORNERS.targets, epochs=50)


def test_descent_on_the_perceptron_loss_is_rosenblatts_rule():
    by_rule, by_descent = zoo.Perceptron(2), zoo.Perceptron(2)
    objective = Objective("perceptron", CLOUDS)
    optimizer = optim.SGD(by_descent.parameters(), lr=0.5)
    for x, y in zip(CLOUDS.inputs, CLOUDS.targets, strict=True):
        optimizer.zero_grad()
        objective(by_descent(x[None]), ops.asarray(y[None])).backward()
        optimizer.step()
    with contextlib.suppress(ValueError):  # one epoch need not be enough
        by_rule.learn(CLOUDS.inputs, CLOUDS.targets, lr=0.5, epochs=1)
    numpy.testing.assert_allclose(by_rule.weight.numpy(), by_descent.weight.numpy(), rtol=1e-6)
    numpy.testing.assert_allclose(by_rule.bias.numpy(), by_descent.bias.numpy(), rtol=1e-6)


def test_x0_carries_the_bias():
    """u = Σ w_i x_i with x_0 = 1 is the same as a bias."""
    perceptron = zoo.Perceptron(2, Generator(0))
    perceptron.bias.data = [0.7]
    weights = numpy.concatenate([perceptron.bias.numpy(), perceptron.weight.numpy()[0]])
    x = Generator(1).normal((5, 2))
    with_one = numpy.concatenate([numpy.ones((5, 1), "float32"), x], axis=1)
    numpy.testing.assert_allclose(perceptron(x).numpy()[:, 0], with_one @ weights, rtol=1e-5)


# --- two layers and more ----------------------------------------------------------------------------------------------


def test_two_layers_set_by_hand_solve_xor():
    """Two lines, and a neuron that fires between them: OR and not AND."""
    step = nn.Step()
    hidden, last = nn.Linear(2, 2), nn.Linear(2, 1)
    hidden.weight.data, hidden.bias.data = [[1.0, 1.0], [1.0, 1.0]], [-0.5, -1.5]
    last.weight.data, last.bias.data = [[1.0, -1.0]], [-0.5]
    answers = step(last(step(hidden(CORNERS.inputs))))
    assert answers.numpy()[:, 0].tolist() == CORNERS.targets.tolist()


def test_an_mlp_has_the_layers_that_it_was_asked_for():
    model = zoo.MLP(6, 3, hidden=[5, 4], activation="tanh", dropout=0.5, output="sigmoid")
    assert [type(layer).__name__ for layer in model] == [
        "Flatten", "Linear", "Tanh", "Dropout", "Linear", "Tanh", "Dropout", "Linear", "Sigmoid",
    ]  # fmt: skip
    assert model(ops.zeros((2, 2, 3))).shape == (2, 3)
    with pytest.raises(UserError, match="did you mean 'relu'"):
        zoo.MLP(2, 2, activation="rleu")
    with pytest.raises(UserError, match="at least 1"):
        zoo.MLP(2, 2, hidden=[0])


def test_deep_linear_layers_collapse_into_one():
    model = zoo.MLP(3, 2, hidden=[5, 4], activation="identity").to(dtype="float64")
    x = Generator(0).normal((4, 3), dtype="float64")
    maps = [layer for layer in model if isinstance(layer, nn.Linear)]
    matrix, offset = ops.eye(3, dtype="float64"), ops.zeros(3, dtype="float64")
    for layer in maps:
        matrix, offset = layer.weight @ matrix, layer.weight @ offset + layer.bias
    numpy.testing.assert_allclose(model(x).numpy(), x @ matrix.numpy().T + offset.numpy(), rtol=1e-12)


# --- universal approximation ------------------------------------------------------------------------------------------


def test_the_error_falls_as_bumps_are_added():
    x = numpy.linspace(0.0, 1.0, 401)[:, None].astype("float32")
    errors = [abs(zoo.bumps(curve, 0.0, 1.0, n)(x).numpy() - curve(x)).mean() for n in (5, 20, 80, 320)]
    assert all(after < 0.5 * before for before, after in itertools.pairwise(errors))
    assert errors[-1] < 0.003


def test_the_error_falls_as_towers_are_added():
    line = numpy.linspace(0.02, 0.98, 33)
    points = numpy.stack(numpy.meshgrid(line, line), axis=-1).reshape(-1, 2).astype("float32")
    exact = surface(points[:, 0], points[:, 1])[:, None]
    errors = [abs(zoo.towers(surface, (0.0, 0.0), (1.0, 1.0), n)(points).numpy() - exact).mean() for n in (4, 8, 16)]
    assert all(after < 0.7 * before for before, after in itertools.pairwise(errors))
    assert errors[-1] < 0.04


# --- polynomials ------------------------------------------------------------------------------------------------------


def test_a_polynomial_is_the_sum_of_its_powers():
    model = zoo.Polynomial(degree=3, scale=2.0)
    model.coefficients.weight.data, model.coefficients.bias.data = [[1.0, 2.0, 3.0]], [4.0]
    assert model([[4.0]]).item() == 4 + 1 * 2 + 2 * 4 + 3 * 8


# --- images -----------------------------------------------------------------------------------------------------------


def test_image_networks_give_scores_for_each_class():
    images = Generator(0).normal((2, 1, 12, 12))
    assert zoo.LeNet(1, (12, 12), 7, batch_norm=True)(images).shape == (2, 7)
    assert zoo.ResNet(1, 7, widths=(4, 8), blocks=2)(images).shape == (2, 7)
    assert zoo.ResNet(1, 7, widths=(4, 8, 16), blocks=9).depth == 56
    with pytest.raises(UserError, match="too few"):
        zoo.LeNet(1, (3, 3), 2)
    with pytest.raises(UserError, match="at least one stage"):
        zoo.ResNet(1, 2, widths=())


def test_the_shortcut_carries_the_gradient_to_the_first_layer_of_a_deep_net():
    images, norms = Generator(0).normal((4, 1, 8, 8)), {}
    for shortcut in (True, False):
        ichikara.seed(0)
        model = zoo.ResNet(1, 3, widths=(4,), blocks=27, shortcut=shortcut).eval()
        model(images).sum().backward()
        norms[shortcut] = abs(model[0].weight.grad.numpy()).mean()
    assert norms[True] > 10 * norms[False]


# --- sequences --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_character_network_reads_piece_by_piece_as_it_reads_at_once(cell):
    model = zoo.CharRNN(11, cell, embedding=6, hidden=8, layers=2).eval()
    text = Generator(0).integers(11, (2, 9))
    whole = model(text).numpy()
    first, state = model.read(ops.asarray(text[:, :4]), None)
    second, _ = model.read(ops.asarray(text[:, 4:]), state)
    numpy.testing.assert_allclose(
        numpy.concatenate([first.numpy(), second.numpy()], axis=1), whole, rtol=1e-4, atol=1e-6
    )
    with pytest.raises(UserError, match="did you mean 'lstm'"):
        zoo.CharRNN(3, cell="lsmt")


def test_a_gpt_looks_back_and_never_ahead():
    model = zoo.GPT(11, context=8, width=16, layers=2, heads=2).eval()
    text = Generator(0).integers(11, (1, 8))
    before = model(text).numpy()
    text[0, 5] = (text[0, 5] + 1) % 11
    after = model(text).numpy()
    numpy.testing.assert_array_equal(before[:, :5], after[:, :5])
    assert abs(before[:, 5:] - after[:, 5:]).max(axis=-1).min() > 1e-5
    with pytest.raises(UserError, match="has a context of 8 characters, and was given 9"):
        model(ops.zeros((1, 9), dtype="int64"))
    with pytest.raises(UserError, match="3 heads do not divide"):
        zoo.GPT(5, 4, width=16, heads=3)


def test_writing_takes_the_likeliest_at_temperature_0_and_draws_from_the_first_k():
    class Fixed(nn.Module):
        """Says the same of every text."""

        def next_of(self, x, state):
            return ops.asarray([[0.0, 3.0, 2.9, -1.0]]), None

    start = numpy.array([0])
    assert list(write_on(Fixed(), start, 5, Generator(0), temperature=0)) == [1] * 5
    assert set(write_on(Fixed(), start, 200, Generator(0), top_k=2)) == {1, 2}
    drawn = list(write_on(Fixed(), start, 2000, Generator(0), temperature=1.0))
    expected = numpy.exp([0.0, 3.0, 2.9, -1.0]) / numpy.exp([0.0, 3.0, 2.9, -1.0]).sum()
    numpy.testing.assert_allclose(numpy.bincount(drawn, minlength=4) / 2000, expected, atol=0.03)
    assert list(write_on(Fixed(), start, 9, Generator(5))) == list(write_on(Fixed(), start, 9, Generator(5)))


def test_an_encoder_and_decoder_solve_step_by_step_what_they_are_trained_on_at_once():
    data = load_reverse(6, length=4, symbols=5)
    model = zoo.Seq2Seq(6, 4, 4, width=16, layers=1, heads=2).eval()
    solved = model.solve(data.inputs[:, :4]).numpy()
    fed = numpy.concatenate([data.inputs[:, :5], solved[:, :-1]], axis=1)
    numpy.testing.assert_array_equal(model(fed).numpy().argmax(axis=-1), solved)
    assert 0 <= model.exact(data.inputs, data.targets) <= 1


# --- generators and discriminators ------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 12, 16)])
def test_generators_make_images_and_discriminators_score_them(shape):
    noise = Generator(0).normal((3, 5))
    for generator, discriminator in (
        (zoo.Generator(5, shape, (8,)), zoo.Discriminator(shape, (8,))),
        zoo.dcgan(5, shape, width=4),
    ):
        images = generator(noise)
        assert images.shape == (3, *shape)
        assert abs(images.numpy()).max() <= 1
        assert discriminator(images).shape == (3, 1)
    with pytest.raises(UserError, match="multiples of 4"):
        zoo.dcgan(5, (1, 9, 8))
