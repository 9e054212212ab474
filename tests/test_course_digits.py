"""The digits that the course ships: they are the published ones, and a seed splits them."""

import numpy
import pytest

from ichikara.course.digits import SHA256, digest, digits, splits


def test_they_are_the_published_ones():
    from sklearn.datasets import load_digits

    images, labels = digits()
    published = load_digits()
    assert (images == published.images).all()
    assert (labels == published.target).all()
    assert digest(images, labels) == SHA256
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


def test_a_split_is_the_seeds_own():
    split = splits(3, train=1200)
    assert (split.images == splits(3, train=1200).images).all()
    assert not (split.images == splits(4, train=1200).images).all()
    whole = numpy.concatenate([split.images, split.test_images]) * 16
    assert len(split.images) == 1200
    assert len(split.test_labels) == 597
    assert sorted(map(bytes, whole.astype(numpy.uint8))) == sorted(map(bytes, digits()[0].reshape(-1, 64)))
    few = splits(3, train=200, test=100)
    assert (few.test_images == split.images[200:300]).all()
    assert split.images.max() == 1
