"""The trained network that lesson 21 ships: it is the one that its recipe makes, and reads digits."""

import os
from pathlib import Path

import numpy
import pytest

from ichikara.course.digits import digest, digits
from ichikara.course.lessons.convolution import net as recipe
from ichikara.course.lessons.convolution.ready import READY

MNIST = Path(os.environ.get("ICHIKARA_DATA", ""), "mnist", "train-images-idx3-ubyte.gz")


def test_its_file_is_the_one_that_was_made():
    weights = [tensor.numpy() for tensor in recipe.trained().state_dict().values()]
    assert digest(*weights) == recipe.SHA256
    assert sum(weight.size for weight in weights) <= 30_000
    assert recipe.FILE.stat().st_size < 100_000


def test_it_reads_the_digits_that_are_drawn_already():
    images = numpy.array(READY, "float32")[:, None]
    for right in (-2, 0, 2):
        assert recipe.accuracy(recipe.trained(), numpy.roll(images, right, axis=3), numpy.arange(10)) == 1


def test_it_reads_digits_of_another_set():
    """Those of the course, of twice their size."""
    images, labels = digits()
    larger = numpy.kron(images / 16, numpy.ones((2, 2))).astype("float32")
    assert recipe.accuracy(recipe.trained(), larger[:, None], labels) > 0.8


@pytest.mark.slow
@pytest.mark.skipif(not MNIST.exists(), reason="MNIST is not in $ICHIKARA_DATA")
def test_its_recipe_makes_one_as_good():
    net, share = recipe.make()
    assert abs(share - recipe.ACCURACY) < 0.01
    assert recipe.accuracy(net, numpy.array(READY, "float32")[:, None], numpy.arange(10)) >= 0.9
