"""Bad input to networks of images, texts and sequences: one clear error each, and on the command line one line."""

import numpy
import pytest

from ichikara import nn, ops, optim, zoo
from ichikara.arrays import Generator
from ichikara.data import (
    CharVocabulary,
    DataLoader,
    Dataset,
    TextLoader,
    load_digits,
    load_npz,
    load_text,
    text_dataset,
)
from ichikara.errors import UserError
from ichikara.train import Trainer, cross_validate

VERSE = "the quick brown fox jumps over the lazy dog\n" * 30

TEXT = """
[data]
name = "text"
path = "verse.txt"
[model]
name = "gpt"
width = 16
layers = 1
heads = 2
[optimizer]
name = "Adam"
[training]
epochs = 1
batch_size = 4
context = 8
batches = 2
"""

IMAGES = """
[data]
name = "npz"
path = "images.npz"
[model]
name = "sequential"
layers = [{type = "Flatten"}, {type = "Linear"}]
[optimizer]
name = "Adam"
[training]
epochs = 1
"""


@pytest.fixture
def run(run, monkeypatch, tmp_path):
    """Call the command in a folder with a text and its recipe."""
    monkeypatch.setattr("ichikara.recipes.run._report", lambda *_: None)  # which has tests of its own
    (tmp_path / "verse.txt").write_text(VERSE, encoding="utf-8")
    (tmp_path / "text.toml").write_text(TEXT, encoding="utf-8")
    (tmp_path / "images.toml").write_text(IMAGES, encoding="utf-8")
    return run


def complaint(answer):
    """The one line that a mistake is answered with, before anything was done."""
    status, out, err = answer
    assert status == 2, err
    assert out == ""
    (line,) = err.strip().splitlines()
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


def last_line(answer):
    """The line with which a training ends that had begun."""
    status, _, err = answer
    assert status == 2, err
    assert "Traceback" not in err
    line = err.strip().splitlines()[-1]
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


# --- texts ------------------------------------------------------------------------------------------------------------


def test_a_sequence_longer_than_the_context():
    model = zoo.GPT(10, context=8, width=8, layers=1, heads=2)
    assert model(numpy.zeros((2, 8), "int64")).shape == (2, 8, 10)
    with pytest.raises(UserError, match="has a context of 8 characters, and was given 9"):
        model(numpy.zeros((2, 9), "int64"))
    with pytest.raises(UserError, match="has a context of 8"):
        model(numpy.zeros((0, 9), "int64"))


def test_a_prompt_longer_than_the_context_is_read_from_its_end(run):
    assert run("train", "text.toml", "--out", "r")[0] == 0
    long = VERSE[:40]
    ends = [run("generate", "r", "--prompt", prompt, "--tokens", "12")[1] for prompt in (long, long[-8:])]
    assert ends[0].removeprefix(long) == ends[1].removeprefix(long[-8:])
    assert len(ends[0].removeprefix(long)) == 12 + 1


def test_a_symbol_that_the_network_does_not_have():
    for model in (zoo.GPT(10, 8, width=8, layers=1, heads=2), zoo.CharRNN(10, embedding=4, hidden=4)):
        for wrong in (10, -11):
            with pytest.raises(IndexError, match=r"index|10"):
                model(numpy.full((1, 4), wrong))
        with pytest.raises(IndexError, match="whole numbers"):
            model(numpy.zeros((1, 4), "float32"))


def test_an_empty_text(run, tmp_path):
    (tmp_path / "verse.txt").write_text("")
    assert complaint(run("train", "text.toml")).endswith("verse.txt is empty; there is nothing to learn from")
    assert not (tmp_path / "runs").exists()
    with pytest.raises(UserError, match="is empty"):
        load_text(tmp_path / "verse.txt")
    with pytest.raises(UserError, match="the text is empty"):
        CharVocabulary("")
    with pytest.raises(UserError, match="has 0 characters; at least two"):
        text_dataset("")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", "at least two are needed"),
        ("ab" * 5, "at least two are needed"),  # of which one is left to validate with
        ("ab" * 40, "(validation part) has 8 characters; a context of 8 needs at least 9"),
        ("ab" * 4, "has 1 character; at least two are needed"),
    ],
)
def test_a_text_shorter_than_the_context(run, tmp_path, text, expected):
    (tmp_path / "verse.txt").write_text(text)
    assert expected in complaint(run("train", "text.toml"))
    assert not (tmp_path / "runs").exists()


def test_a_text_shorter_than_the_context_names_its_part():
    with pytest.raises(UserError, match=r"^verse has 5 characters; a context of 8 needs at least 9: use a longer text"):
        TextLoader(text_dataset("abcde", "verse"), context=8)
    with pytest.raises(UserError, match=r"^verse \(train part\) has 5 characters"):
        TextLoader(text_dataset("abcde", "verse", part="train"), context=8)


def test_a_text_that_is_none(run, tmp_path):
    (tmp_path / "verse.txt").write_bytes(b"caf\xe9 " * 50)
    assert "is not a text in UTF-8" in complaint(run("train", "text.toml"))
    (tmp_path / "verse.txt").unlink()
    assert "cannot read" in complaint(run("train", "text.toml"))
    (tmp_path / "verse.txt").mkdir()
    assert "cannot read" in complaint(run("train", "text.toml"))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--prompt", ""], "the prompt is empty"),
        (["--prompt", "the Quick"], "the character 'Q' at position 4 is not in the vocabulary"),
        (["--prompt", "犬"], "the character '犬' at position 0"),
        (["--prompt", "fox 🦊"], "'🦊' at position 4"),
        (["--prompt", "a\x00"], r"'\x00' at position 1"),
        (["--temperature", "-1"], "temperature is a number of at least 0, not -1"),
        (["--temperature", "nan"], "temperature is a number of at least 0, not nan"),
        (["--top-k", "0"], "top-k is a number of characters, at least 1, not 0"),
    ],
)
def test_a_prompt_that_the_network_cannot_read(run, words, expected):
    assert run("train", "text.toml", "--out", "r")[0] == 0
    assert expected in complaint(run("generate", "r", *words))


def test_what_writes_no_text(run):
    assert "holds no run" in complaint(run("generate", "nowhere"))
    assert run("train", "xor", "--set", "training.epochs=1", "--out", "x")[0] == 0
    assert "x was not trained on a text (xor is a classification)" in complaint(run("generate", "x"))
    assert "has trained no GAN" in complaint(run("sample", "x"))


def test_heads_that_do_not_divide(run):
    for width, heads in ((16, 3), (8, 16)):
        with pytest.raises(UserError, match=rf"{heads} heads do not divide a width of {width}"):
            zoo.GPT(5, 4, width=width, heads=heads)
        with pytest.raises(UserError, match=f"{heads} heads share the {width} numbers"):
            nn.MultiheadAttention(width, heads)
        with pytest.raises(UserError, match=f"{heads} heads share the {width} numbers"):
            zoo.Seq2Seq(5, 4, 4, width=width, heads=heads)
    for heads in (0, -2, 1.5, "two"):
        with pytest.raises(UserError, match="heads is a whole number of at least 1"):
            zoo.GPT(5, 4, width=16, heads=heads)
    assert "3 heads do not divide a width of 16" in complaint(run("train", "text.toml", "--set", "model.heads=3"))
    assert "heads is a whole number" in complaint(run("train", "text.toml", "--set", "model.heads=0"))


# --- images -----------------------------------------------------------------------------------------------------------


def test_images_of_mixed_size(run, tmp_path):
    mixed = [numpy.zeros((8, 8)), numpy.zeros((8, 9))]
    with pytest.raises(UserError, match=r"scans: the inputs do not form an array"):
        Dataset(mixed, [0, 1], name="scans", classes=("a", "b"))
    objects = numpy.empty(2, object)
    objects[:] = mixed
    with pytest.raises(UserError, match=r"scans: the inputs are not real numbers but object"):
        Dataset(objects, [0, 1], name="scans", classes=("a", "b"))

    numpy.savez(tmp_path / "images.npz", x=objects, y=[0, 1])
    with pytest.raises(UserError, match=r"cannot read .*images.npz: .*something else than arrays of numbers"):
        load_npz(tmp_path / "images.npz")
    assert "something else than arrays of numbers" in complaint(run("train", "images.toml"))
    assert not (tmp_path / "runs").exists()


def test_images_of_another_size_than_those_that_were_learnt_from(run, tmp_path):
    from PIL import Image

    numpy.savez(tmp_path / "images.npz", x=Generator(0).uniform((40, 1, 6, 6)), y=numpy.arange(40) % 2)
    assert run("train", "images.toml", "--out", "r", "--set", "baseline=false")[0] == 0
    numpy.save(tmp_path / "x.npy", numpy.zeros((3, 1, 7, 6)))
    assert "holds inputs of shape (1, 7, 6), and the network needs (1, 6, 6)" in complaint(run("predict", "r", "x.npy"))
    Image.new("L", (6, 7)).save(tmp_path / "x.png")
    assert "6×7 pixels, and the network was trained on 6×6" in complaint(run("predict", "r", "x.png"))
    mixed = numpy.empty(2, object)
    mixed[:] = [numpy.zeros((6, 6)), numpy.zeros((6, 7))]
    numpy.save(tmp_path / "x.npy", mixed)
    assert "no array of numbers" in complaint(run("predict", "r", "x.npy"))


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (nn.Conv2d(1, 2, 9), (2, 1, 8, 8), r"9 by 9 does not fit into an image of 8 by 8"),
        (nn.Conv2d(1, 2, 5, dilation=3), (2, 1, 8, 8), r"13 by 13 does not fit into an image of 8 by 8"),
        (nn.Conv2d(1, 2, (2, 9), padding=(0, 0)), (2, 1, 8, 8), r"2 by 9 does not fit into an image of 8 by 8"),
        (nn.Conv1d(1, 2, 9), (2, 1, 8), r"does not fit"),
        (nn.MaxPool2d(9), (2, 1, 8, 8), r"9 by 9 does not fit into an image of 8 by 8"),
        (nn.AvgPool2d(9), (2, 1, 8, 8), r"9 by 9 does not fit into an image of 8 by 8"),
    ],
)
def test_a_kernel_larger_than_the_image(layer, shape, expected):
    with pytest.raises(UserError, match=expected):
        layer(ops.zeros(shape))


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (nn.Conv2d(3, 2, 3), (2, 1, 8, 8), r"takes inputs of shape \(n, 3, height, width\).*\(2, 1, 8, 8\)"),
        (nn.Conv2d(3, 2, 3), (8, 8), r"takes inputs of shape \(n, 3, height, width\).*\(8, 8\)"),
        (nn.Conv1d(3, 2, 3), (2, 1, 8), r"takes inputs of shape \(n, 3, length\).*\(2, 1, 8\)"),
        (nn.ConvTranspose2d(3, 2, 3), (2, 1, 8, 8), r"takes inputs of shape \(n, 3, height, width\)"),
        (nn.BatchNorm2d(3), (2, 1, 8, 8), r"\(n, 3, .*\(2, 1, 8, 8\)"),
        (nn.BatchNorm1d(3), (2, 4), r"\(n, 3\).*\(2, 4\)"),
        (nn.GroupNorm(1, 3), (2, 4, 8, 8), r"3.*\(2, 4, 8, 8\)"),
        (zoo.LeNet(3, (8, 8), 2), (2, 1, 8, 8), r"\(n, 3, height, width\)"),
        (zoo.ResNet(3, 2, widths=(4,)), (2, 1, 8, 8), r"\(n, 3, height, width\)"),
    ],
)
def test_a_wrong_channel_count(layer, shape, expected):
    with pytest.raises(UserError, match=expected):
        layer(ops.zeros(shape))


def test_channels_that_do_not_divide_by_groups():
    for make, expected in (
        (lambda: nn.Conv2d(3, 4, 1, groups=2), "in_channels=3 does not divide into 2 groups"),
        (lambda: nn.Conv2d(4, 3, 1, groups=2), "out_channels=3 does not divide into 2 groups"),
        (lambda: nn.Conv1d(3, 4, 1, groups=2), "in_channels=3 does not divide into 2 groups"),
        (lambda: nn.ConvTranspose2d(3, 4, 1, groups=2), "in_channels=3 does not divide into 2 groups"),
        (lambda: nn.GroupNorm(3, 4), "4 channels do not divide into 3 groups"),
        (lambda: ops.conv2d(ops.zeros((1, 3, 4, 4)), ops.zeros((4, 2, 1, 1)), groups=2), r"\(n, 4, h, w\)"),
    ):
        with pytest.raises(UserError, match=expected):
            make()


def test_an_image_too_small_for_its_network():
    with pytest.raises(UserError, match="after each of 2 convolutions, and 3×8 pixels are too few"):
        zoo.LeNet(1, (8, 3), 2)
    with pytest.raises(UserError, match=r"multiples of 4, not 6×8"):
        zoo.dcgan(4, (1, 8, 6))


# --- batches and folds ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.BatchNorm1d(3), (1, 3)),
        (nn.BatchNorm1d(3), (1, 3, 1)),
        (nn.BatchNorm2d(3), (1, 3, 1, 1)),
    ],
)
def test_a_batch_of_one_under_batch_norm(layer, shape):
    layer.train()
    before = {name: value.numpy().copy() for name, value in layer.state_dict().items()}
    with pytest.raises(UserError, match=r"1 value for each channel.*use a larger batch.*eval\(\)"):
        layer(ops.ones(shape))
    for name, value in layer.state_dict().items():
        numpy.testing.assert_array_equal(value.numpy(), before[name])
    layer.eval()
    assert layer(ops.ones(shape)).shape == shape  # an example by itself is judged by the running statistics


def test_a_last_batch_of_one_under_batch_norm_ends_a_run_in_words(run):
    model = nn.Sequential(nn.Linear(64, 4), nn.BatchNorm1d(4), nn.Linear(4, 10))
    trainer = Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))
    digits = load_digits()[:33]
    with pytest.raises(UserError, match=r"use a larger batch, leave out a last one that is short \(drop_last\)"):
        trainer.fit(DataLoader(digits, batch_size=16), 1)
    trainer.fit(DataLoader(digits, batch_size=16, drop_last=True), 1)

    layers = 'model={name="sequential",layers=[{type="BatchNorm1d"},{type="Linear"}]}'
    words = ["--set", layers, "--set", "training.epochs=1", "--set", "baseline=false"]
    answer = run("train", "digits", *words, "--set", "training.batch_size=1")
    assert "1 value for each channel" in last_line(answer)


def test_a_class_absent_from_a_fold(run, tmp_path):
    labels = numpy.array([0] * 10 + [1] * 10 + [2] * 2)
    inputs = Generator(0).normal((22, 1, 2, 2))
    data = Dataset(inputs, labels, "shapes", ("circle", "square", "star"))
    with pytest.raises(UserError, match=r"class 'star' has 2 examples, so it would be absent from 1 of 3 folds"):
        cross_validate(lambda train, validation: {"loss": 0.0}, data, folds=3)
    numpy.savez(tmp_path / "images.npz", x=inputs, y=labels, classes=["circle", "square", "star"])
    words = complaint(run("cross-validate", "images.toml", "--folds", "3"))
    assert "class 'star' has 2 examples" in words
    assert "use at most 2 folds, or drop the class" in words
    assert run("cross-validate", "images.toml", "--folds", "2")[0] == 0
    assert "too few for 30 folds" in complaint(run("cross-validate", "images.toml", "--folds", "30"))


def test_nothing_at_all(run, tmp_path):
    numpy.savez(tmp_path / "images.npz", x=numpy.zeros((0, 1, 2, 2)), y=numpy.zeros(0, "int64"), classes=["a", "b"])
    assert "examples" in complaint(run("train", "images.toml"))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("wrong", [numpy.nan, numpy.inf])
def test_a_pixel_that_is_no_number(run, tmp_path, wrong):
    images = numpy.zeros((10, 1, 4, 4))
    images[3, 0, 2, 1] = wrong
    numpy.savez(tmp_path / "images.npz", x=images, y=numpy.arange(10) % 2)
    words = complaint(run("train", "images.toml"))
    assert f"the inputs hold {wrong} at row 3, column (0, 2, 1)" in words
