"""`split`: every example in exactly one part, classes in proportion, the same seed the same parts."""

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ichikara.arrays import Generator
from ichikara.data import Dataset, k_folds, load_cubic, load_digits, split, text_dataset
from ichikara.errors import UserError


def numbered(targets, classes=10):
    """A set whose inputs are the row numbers, so that every example can be followed."""
    return Dataset(numpy.arange(len(targets))[:, None], targets, classes=tuple(map(str, range(classes))))


def rows(part):
    return [] if part is None else part.inputs[:, 0].astype(int).tolist()


fractions = st.tuples(st.floats(0, 0.9), st.floats(0, 0.9)).filter(lambda pair: sum(pair) < 0.95)
labels = st.lists(st.integers(0, 4), min_size=1, max_size=60)


@settings(deadline=None, max_examples=150)
@given(labels, fractions, st.integers(0, 2**40), st.booleans())
def test_parts_are_disjoint_and_cover(targets, held, seed, stratify):
    data = numbered(targets)
    try:
        parts = split(data, *held, seed=seed, stratify=stratify)
    except UserError:
        return  # too few examples for such parts; the errors are tested below
    assert sorted(rows(parts.train) + rows(parts.validation) + rows(parts.test)) == list(range(len(targets)))
    for part, fraction in ((parts.validation, held[0]), (parts.test, held[1])):
        assert len(rows(part)) == round(len(targets) * fraction)
        assert (part is None) == (fraction == 0)
    for part, name in zip(parts, ("train", "validation", "test"), strict=True):
        if part is not None:
            assert part.part == name
            assert part.targets.tolist() == [targets[row] for row in rows(part)]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(20, 60), min_size=2, max_size=5), st.integers(0, 1000))
def test_classes_keep_their_proportions(members, seed):
    data = numbered(numpy.repeat(numpy.arange(len(members)), members))
    parts = split(data, 0.3, 0.2, seed=seed)
    for part, fraction in zip(parts, (0.5, 0.3, 0.2), strict=True):
        counts = numpy.bincount(part.targets, minlength=len(members))
        assert (abs(counts - fraction * numpy.array(members)) <= 2).all()  # of two draws, each rounds by less than one


def test_a_seed_decides_the_parts():
    data = load_digits()
    first, same, other = (split(data, 0.2, 0.1, seed=seed) for seed in (1, 1, 2))
    assert [part.checksum for part in first] == [part.checksum for part in same]
    assert first.train.checksum != other.train.checksum
    assert first.test.checksum != other.test.checksum


def test_the_default_holds_back_a_fifth_for_validation():
    parts = split(numbered([0, 1] * 50))
    assert (len(parts.train), len(parts.validation), parts.test) == (80, 20, None)
    assert sum(parts.validation.targets) == 10


def test_quantities_are_parted_at_random_without_classes():
    data = load_cubic(100)
    parts = split(data, 0.25)
    assert (len(parts.train), len(parts.validation)) == (75, 25)
    assert sorted(numpy.concatenate([parts.train.inputs, parts.validation.inputs]).tolist()) == sorted(
        data.inputs.tolist()
    )
    with pytest.raises(UserError, match="use stratify=False"):
        split(data, stratify=True)


def test_a_text_is_cut_in_order():
    data = text_dataset("the quick brown fox jumps")
    parts = split(data, 0.25, 0.25, seed=5)
    for array in ("inputs", "targets"):
        joined = numpy.concatenate([getattr(part, array) for part in parts])
        numpy.testing.assert_array_equal(joined, getattr(data, array))
    assert (len(parts.validation), len(parts.test)) == (6, 6)


@pytest.mark.parametrize(
    ("targets", "options", "words"),
    [
        ([0, 1] * 10, {"validation": 1.0}, "validation is a fraction of the data, from 0 to below 1, not 1.0"),
        ([0, 1] * 10, {"validation": -0.1}, "validation is a number of at least 0, not -0.1"),
        ([0, 1] * 10, {"validation": "some"}, "validation is a number"),
        ([0, 1] * 10, {"validation": 0.5, "test": 0.5}, "leave nothing to train on"),
        ([0, 1] * 10, {"validation": 0.01}, "of 20 examples none is left for validation"),
        ([0], {"validation": 0.9}, "none is left for train"),
        ([], {}, "none is left for train and validation"),
        ([0, 0, 0, 0, 0, 0, 0, 3], {"validation": 0.4}, "class '3' has 1 member, too few for train and validation"),
        ([0, 0, 0, 0, 3, 3], {"validation": 0.3, "test": 0.3}, "class '3' has 2 members, too few for train and val"),
        ([0, 0, 1, 1, 2, 2, 3, 3], {"validation": 0.25}, "the validation part of 2 examples cannot hold all 4 classes"),
        ([0, 1] * 10, {"seed": "x"}, "seed is a whole number"),
        ([0, 1] * 10, {"stratify": "yes"}, "stratify is true or false"),
    ],
)
def test_what_cannot_be_parted_is_refused_in_words(targets, options, words):
    with pytest.raises(UserError, match=words):
        split(numbered(numpy.array(targets, int)), **options)


@pytest.mark.parametrize(("n", "folds"), [(37, 5), (20, 4), (11, 11)])
def test_parts_and_folds_that_are_not_stratified_are_scikit_learns(n, folds):
    """They are drawn without it, row by row the same."""
    from sklearn.model_selection import KFold, train_test_split

    data = load_cubic(n)
    for seed in range(4):
        start = int(Generator(seed).integers(2**32))
        wanted = KFold(folds, shuffle=True, random_state=start).split(numpy.zeros(n))
        for fold, (train, validation) in zip(k_folds(data, folds, seed=seed), wanted, strict=True):
            assert fold.train_rows.tolist() == train.tolist()
            assert fold.validation_rows.tolist() == validation.tolist()
        parts = split(data, validation=0, test=0.3, seed=seed)
        train, test = train_test_split(data.inputs, test_size=len(parts.test), random_state=start)
        assert (parts.train.inputs == train).all()
        assert (parts.test.inputs == test).all()
