"""The trainer of a generator and a discriminator: its step is the textbook's, and it reports what is wrong."""

from dataclasses import replace

import numpy
import pytest

from ichikara import nn, optim
from ichikara.arrays import Generator, using
from ichikara.autodiff import asarray
from ichikara.data import DataLoader, load_digits
from ichikara.errors import UserError
from ichikara.train import AdversarialTrainer, Adversaries, DivergedError, Optimizers, judge
from ichikara.zoo import Discriminator, dcgan
from ichikara.zoo import Generator as GeneratorNetwork

DIGITS = load_digits(as_images=True)[:96]
IMAGES = DIGITS.inputs / 16
SHAPE = (1, 8, 8)


def pair(kind="dcgan", latent=5):
    if kind == "dcgan":
        return dcgan(latent, SHAPE, width=3)
    return GeneratorNetwork(latent, SHAPE, (12, 9)), Discriminator(SHAPE, (10,), dropout=0.0)


def make(seed=0, kind="dcgan", dtype=None, made=optim.Adam, lr=0.002, **options):
    root = Generator(seed)
    with using(root.spawn()):
        generator, discriminator = pair(kind)
    if dtype is not None:
        generator.to(dtype=dtype)
        discriminator.to(dtype=dtype)
    optimizers = Optimizers(made(generator.parameters(), lr=lr), made(discriminator.parameters(), lr=lr))
    trainer = AdversarialTrainer(
        Adversaries(generator, discriminator, 5), optimizers, generator=root.spawn(), **options
    )
    return trainer, root


def run(seed=0, epochs=0, **options):
    """A trainer, trained for so many epochs, and its loader."""
    trainer, root = make(seed, kind="plain", **options)
    loader = DataLoader(scaled(), batch_size=20, shuffle=True, generator=root.spawn())
    if epochs:
        trainer.fit(loader, epochs)
    return trainer, loader


def scaled():
    return replace(DIGITS, inputs=IMAGES)


def state_of(module):
    return {name: value.numpy().copy() for name, value in module.state_dict().items()}


def assert_equal(a, b):
    assert list(a) == list(b)
    for name in a:
        numpy.testing.assert_array_equal(a[name], b[name], err_msg=name)


def assert_changed(a, b, parameters):
    assert all((a[name] != b[name]).any() for name in parameters), "some weights were left as they were"


# --- one step, against PyTorch ----------------------------------------------------------------------------------------


def twin(torch, module):
    """The same network in PyTorch, layer by layer, with the same weights."""
    layers = []
    for layer in module:
        name, kind = type(layer).__name__, None
        match name:
            case "Linear":
                kind = torch.nn.Linear(layer.in_features, layer.out_features)
            case "Conv2d" | "ConvTranspose2d":
                kind = getattr(torch.nn, name)(
                    layer.in_channels,
                    layer.out_channels,
                    layer.kernel_size,
                    layer.stride,
                    layer.padding,
                    bias=layer.bias is not None,
                )
            case "BatchNorm1d" | "BatchNorm2d":
                kind = getattr(torch.nn, name)(layer.num_features)
            case "LeakyReLU":
                kind = torch.nn.LeakyReLU(layer.negative_slope)
            case "Unflatten":
                kind = torch.nn.Unflatten(1, tuple(layer.unflattened_size))
            case "Dropout":
                kind = torch.nn.Identity()
            case "ReLU" | "Tanh" | "Flatten":
                kind = getattr(torch.nn, name)()
        layers.append(kind)
    model = torch.nn.Sequential(*layers).double()
    model.load_state_dict({name: torch.tensor(value) for name, value in state_of(module).items()})
    return model


@pytest.mark.parametrize("kind", ["dcgan", "plain"])
@pytest.mark.parametrize("made", ["SGD", "Adam"])
@pytest.mark.parametrize("smooth", [0.9, 1.0])
def test_steps_equal_those_written_out_in_pytorch(torch, kind, made, smooth):
    trainer, _ = make(kind=kind, dtype="float64", made=getattr(optim, made), lr=0.01, smooth=smooth)
    generator, discriminator = twin(torch, trainer.model.generator), twin(torch, trainer.model.discriminator)
    generator_optimizer = getattr(torch.optim, made)(generator.parameters(), lr=0.01)
    discriminator_optimizer = getattr(torch.optim, made)(discriminator.parameters(), lr=0.01)
    criterion = torch.nn.BCEWithLogitsLoss()
    stream = Generator(0)
    stream.state = trainer.generator.state
    for step in range(3):
        batch = IMAGES[16 * step : 16 * step + 16].astype("float64")
        real = torch.tensor(batch) * 2 - 1
        noise = torch.tensor(stream.normal((16, 5)).astype("float64"))

        fake = generator(noise)
        discriminator_optimizer.zero_grad()
        real_score, fake_score = discriminator(real), discriminator(fake.detach())
        discriminator_loss = criterion(real_score, torch.full_like(real_score, smooth))
        discriminator_loss = discriminator_loss + criterion(fake_score, torch.zeros_like(fake_score))
        discriminator_loss.backward()
        discriminator_optimizer.step()
        generator_optimizer.zero_grad()
        score = discriminator(fake)
        generator_loss = criterion(score, torch.ones_like(score))
        generator_loss.backward()
        generator_optimizer.step()

        loss = trainer.step(batch)
        measures = trainer._totals.means("")
        trainer._totals = type(trainer._totals)()
        assert measures["discriminator_loss"] == pytest.approx(discriminator_loss.item(), rel=1e-9)
        assert measures["generator_loss"] == pytest.approx(generator_loss.item(), rel=1e-9)
        total = measures["discriminator_loss"] + measures["generator_loss"]
        assert loss == measures["loss"] == pytest.approx(total, rel=1e-12)
        assert measures["real"] == pytest.approx(torch.sigmoid(real_score).mean().item(), rel=1e-9)
        assert measures["fake"] == pytest.approx(torch.sigmoid(fake_score).mean().item(), rel=1e-9)
        spread = fake.std(0, correction=0).mean() / real.std(0, correction=0).mean()
        assert measures["spread"] == pytest.approx(spread.item(), rel=1e-9)
        for ours, theirs in ((trainer.model.generator, generator), (trainer.model.discriminator, discriminator)):
            for name, value in theirs.state_dict().items():
                numpy.testing.assert_allclose(
                    state_of(ours)[name], value.numpy(), rtol=1e-7, atol=1e-10, err_msg=f"{name} after step {step + 1}"
                )
    assert trainer.steps == 3


def test_each_step_moves_its_own_network_only():
    for moving in ("generator", "discriminator"):
        trainer, _ = make()
        rate = {"generator": (0.01, 0.0), "discriminator": (0.0, 0.01)}[moving]
        for optimizer, lr in zip(trainer.optimizer.optimizers, rate, strict=True):
            optimizer.param_groups[0]["lr"] = lr
        still = "discriminator" if moving == "generator" else "generator"
        before = {part: state_of(getattr(trainer.model, part)) for part in (moving, still)}
        names = {part: [name for name, _ in getattr(trainer.model, part).named_parameters()] for part in before}
        trainer.step(IMAGES[:16])
        after = {part: state_of(getattr(trainer.model, part)) for part in (moving, still)}
        assert_changed(before[moving], after[moving], names[moving])
        for name in names[still]:
            numpy.testing.assert_array_equal(before[still][name], after[still][name])


def test_the_discriminators_loss_sends_nothing_to_the_generator():
    """When the discriminator steps, the generator has no gradients; these come from its own loss."""
    trainer, _ = make()
    generator, discriminator = trainer.model.generator, trainer.model.discriminator
    gradients = []
    discriminator_optimizer = trainer.optimizer.optimizers[1]
    usual = discriminator_optimizer.step
    discriminator_optimizer.step = lambda: (gradients.extend(p.grad for p in generator.parameters()), usual())[1]
    trainer.step(IMAGES[:16])
    assert gradients
    assert all(gradient is None for gradient in gradients)
    assert all(p.grad is not None for p in generator.parameters())
    assert all(p.grad is not None for p in discriminator.parameters())


def test_the_second_step_begins_with_fresh_gradients():
    """The discriminator's gradients of the generator's loss are not added to its next step."""
    trainer, _ = make(made=optim.SGD, lr=0.0)
    trainer.model.discriminator.eval()  # whose batch normalisation would get other generated images
    state = trainer.generator.state
    trainer.step(IMAGES[:16])
    of_steps = []
    discriminator_optimizer = trainer.optimizer.optimizers[1]
    usual = discriminator_optimizer.step
    gradients = lambda: [p.grad.numpy().copy() for p in trainer.model.discriminator.parameters()]
    discriminator_optimizer.step = lambda: (of_steps.append(gradients()), usual())[1]
    for _ in range(2):
        trainer.generator.state = state
        trainer.step(IMAGES[:16])
    for a, b in zip(*of_steps, strict=True):
        numpy.testing.assert_array_equal(a, b)


# --- runs -------------------------------------------------------------------------------------------------------------


def test_the_history_has_both_losses_the_discriminators_outputs_and_the_spread():
    trainer, _ = run(epochs=3)
    for column in ("loss", "discriminator_loss", "generator_loss", "real", "fake", "spread"):
        values = trainer.history[f"train_{column}"]
        assert len(values) == 3
        assert numpy.isfinite(values).all()
    for row in trainer.history.rows:
        assert row["train_loss"] == pytest.approx(row["train_discriminator_loss"] + row["train_generator_loss"])
        assert 0 < row["train_real"] < 1
        assert 0 < row["train_fake"] < 1
        assert row["train_spread"] > 0
    assert not any(name.startswith("val_") for name in trainer.history.columns)
    assert trainer.evaluate(scaled()) == {}


@pytest.mark.parametrize("cut", [1, 2])
def test_a_resumed_run_goes_on_bit_for_bit(tmp_path, cut):
    whole, _ = run(epochs=4)
    first, loader = run()
    first.fit(loader, cut, checkpoint=tmp_path / "c.safetensors")
    second, loader = run(seed=9)
    second.resume(tmp_path / "c.safetensors", loader)
    second.fit(loader, 4)
    assert_equal(state_of(second.model), state_of(whole.model))
    plain = lambda trainer: [{k: v for k, v in row.items() if k != "seconds"} for row in trainer.history.rows]
    assert plain(second) == plain(whole)
    assert second.steps == whole.steps == 4 * 5
    for a, b in zip(whole.optimizer.optimizers, second.optimizer.optimizers, strict=True):
        for ours, theirs in zip(a.state_dict()["state"].values(), b.state_dict()["state"].values(), strict=True):
            for name in ours:
                numpy.testing.assert_array_equal(numpy.asarray(ours[name]), numpy.asarray(theirs[name]))


def test_a_run_that_was_interrupted_in_an_epoch_goes_on_bit_for_bit(tmp_path):
    whole, _ = run(epochs=2)
    first, loader = run()
    usual = first.step

    def stop_at_the_third(*batch):
        first.interrupted = first.steps == 2
        return usual(*batch)

    first.step = stop_at_the_third
    first.fit(loader, 2, checkpoint=tmp_path / "c.safetensors")
    assert first.interrupted
    assert first.steps == 3
    second, loader = run(seed=9)
    second.resume(tmp_path / "c.safetensors", loader)
    second.fit(loader, 2)
    assert_equal(state_of(second.model), state_of(whole.model))


def test_the_optimisers_are_saved_as_one_and_not_exchanged():
    trainer, _ = run(epochs=1)
    state = trainer.optimizer.state_dict()
    fresh, _ = run()
    fresh.optimizer.load_state_dict(state)
    for a, b in zip(trainer.optimizer.optimizers, fresh.optimizer.optimizers, strict=True):
        assert a.state_dict()["param_groups"] == b.state_dict()["param_groups"]
    groups = trainer.optimizer.param_groups
    assert [id(p) for p in groups[0]["params"]] == [id(p) for p in trainer.model.generator.parameters()]
    assert [id(p) for p in groups[1]["params"]] == [id(p) for p in trainer.model.discriminator.parameters()]
    with pytest.raises(ValueError, match="argument"):
        trainer.optimizer.load_state_dict({"optimizers": state["optimizers"][:1]})


def test_a_generator_learns_the_statistics_of_its_images():
    """Trained on copies of one picture, it soon makes that picture, and it does not begin with it."""
    picture = numpy.zeros(SHAPE, "float32")
    picture[0, 2:6, 3:5] = 1
    data = replace(DIGITS, inputs=numpy.tile(picture, (96, 1, 1, 1)))
    calm = lambda parameters, lr: optim.Adam(parameters, lr=lr, betas=(0.5, 0.999))
    trainer, root = make(kind="plain", lr=0.005, made=calm)
    distance = lambda: abs(trainer.model.sample(64, Generator(3)) - picture).mean()
    before = distance()
    trainer.fit(DataLoader(data, batch_size=32, shuffle=True, generator=root.spawn()), 80)
    assert before > 0.4
    assert distance() < 0.1


# --- what goes wrong --------------------------------------------------------------------------------------------------


def test_a_collapsed_generator_has_no_spread_and_a_copying_one_has_that_of_the_images():
    class Collapsed(nn.Module):
        """Makes one image, whatever the noise."""

        def __init__(self, images):
            super().__init__()
            self.weight = nn.Parameter(numpy.float32(1.0))
            self.images = images

        def forward(self, noise):
            return asarray(self.images[: len(noise)]) * self.weight

    spreads = {}
    for name, images in (("one", numpy.tile(IMAGES[:1], (32, 1, 1, 1)) * 2 - 1), ("all", IMAGES[:32] * 2 - 1)):
        _, discriminator = pair()
        generator = Collapsed(images)
        optimizers = Optimizers(
            optim.SGD(generator.parameters(), lr=0.0), optim.SGD(discriminator.parameters(), lr=0.01)
        )
        trainer = AdversarialTrainer(Adversaries(generator, discriminator, 5), optimizers)
        trainer.step(IMAGES[:32])
        spreads[name] = trainer._totals.means("")["spread"]
    assert spreads["one"] < 1e-6
    assert spreads["all"] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("part", ["generator", "discriminator"])
def test_a_loss_that_is_not_finite_ends_the_run_in_words_and_leaves_the_checkpoint(tmp_path, part):
    trainer, loader = run()
    trainer.fit(loader, 1, checkpoint=tmp_path / "c.safetensors")
    before = (tmp_path / "c.safetensors").read_bytes()
    weight = next(iter(getattr(trainer.model, part).parameters()))
    weight.data = numpy.full(weight.shape, numpy.nan, "float32")
    with pytest.raises(
        DivergedError, match=f"became nan in epoch 2, batch 1.\nNaN was already in the parameter '{part}."
    ):
        trainer.fit(loader, 2, checkpoint=tmp_path / "c.safetensors")
    assert (tmp_path / "c.safetensors").read_bytes() == before


@pytest.mark.parametrize("smooth", [-0.1, 1.1, "high", True, float("nan")])
def test_smooth_is_a_probability(smooth):
    with pytest.raises(UserError, match="smooth is a number from 0 to 1"):
        make(smooth=smooth)


def test_it_has_no_loss_of_outputs_and_targets():
    trainer, _ = make()
    with pytest.raises(TypeError, match="no loss of outputs and targets"):
        trainer.loss(None, None)


# --- samples ----------------------------------------------------------------------------------------------------------


def test_samples_are_images_from_0_to_1_and_depend_on_the_seed_alone():
    trainer, _ = run(epochs=1)
    model = trainer.model
    model.train()
    before = state_of(model)
    samples = model.sample(7, Generator(1))
    assert samples.shape == (7, *SHAPE)
    assert 0 <= samples.min() < samples.max() <= 1
    numpy.testing.assert_array_equal(samples, model.sample(7, Generator(1)))
    assert abs(samples - model.sample(7, Generator(2))).max() > 1e-3
    assert_equal(before, state_of(model))  # the running statistics are not changed by sampling
    assert model.training
    noise = Generator(1).normal((7, 5))
    numpy.testing.assert_allclose(samples, (model.eval()(noise).numpy() + 1) / 2, rtol=1e-6)


def test_the_judge_gives_its_mean_confidence_and_the_classes_it_found():
    scores = numpy.log([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.05, 0.05, 0.9]])
    result = judge(numpy.zeros((3, *SHAPE)), lambda images: scores[: len(images)])
    assert result["samples"] == 3
    assert result["classes"] == [2, 0, 1]
    assert result["classes_present"] == 2
    assert result["confidence"] == pytest.approx((0.7 + 0.6 + 0.9) / 3)
    unsure = judge(numpy.zeros((4, *SHAPE)), lambda images: numpy.zeros((4, 10)))
    assert unsure["confidence"] == pytest.approx(0.1)
    assert unsure["classes_present"] == 1
