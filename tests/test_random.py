"""The stream of random numbers: JAX's bits, the same however they are drawn and computed."""

import copy
import json
import pickle
import threading

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from ichikara import Generator
from ichikara.arrays import erfinv
from ichikara.arrays.random import _READ_AHEAD

seeds = st.integers(0, 2**64 - 1)


def jax_of(seed):
    jax = pytest.importorskip("jax")
    return jax.random, jax.random.wrap_key_data(numpy.array([seed >> 32, seed & 0xFFFFFFFF], "uint32"))


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1, 2**32, 2**64 - 1])
@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 5), (2 * _READ_AHEAD,)])
def test_the_bits_are_those_of_jax(seed, shape):
    random, key = jax_of(seed)
    share = numpy.float32(0.3)
    assert numpy.array_equal(Generator(seed).bits(shape), random.bits(key, shape, "uint32"))
    assert numpy.array_equal(Generator(seed).uniform(shape), random.uniform(key, shape, "float32"))
    assert numpy.array_equal(Generator(seed).bernoulli(0.3, shape), random.bernoulli(key, share, shape))
    normal = random.normal(key, shape, "float32")
    numpy.testing.assert_allclose(Generator(seed).normal(shape), normal, rtol=2e-5, atol=2e-5)


def test_the_wide_bits_are_those_of_jax():
    jax = pytest.importorskip("jax")
    with jax.enable_x64(True):
        key = jax.random.key(7)
        assert numpy.array_equal(Generator(7).bits((100,), "uint64"), jax.random.bits(key, (100,), "uint64"))
        uniform = Generator(7).uniform((100,), dtype="float64")
        assert numpy.array_equal(uniform, jax.random.uniform(key, (100,), "float64"))


@given(seeds, st.integers(0, 2**32 - 1))
def test_a_stream_for_one_use_has_the_key_of_jax(seed, number):
    random, key = jax_of(seed)
    assert Generator(seed).fold_in(number).key == tuple(random.key_data(random.fold_in(key, number)).tolist())


@given(seeds, st.lists(st.integers(0, 3000), max_size=12))
def test_numbers_do_not_depend_on_how_many_are_drawn_at_once(seed, counts):
    parts, whole = Generator(seed), Generator(seed)
    drawn = [parts.bits((n,)) for n in counts]
    assert numpy.array_equal(numpy.concatenate([*drawn, []]), whole.bits((sum(counts),)))
    assert parts.state == whole.state


@given(seeds, st.lists(st.sampled_from(["uniform", "normal", "bits"]), max_size=6), st.integers(0, 2 * _READ_AHEAD))
def test_a_saved_stream_goes_on_bit_for_bit(seed, draws, count):
    generator = Generator(seed)
    generator.bits((count,))
    others = [Generator(1), copy.deepcopy(generator), pickle.loads(pickle.dumps(generator))]
    others[0].bits((5,))
    others[0].state = json.loads(json.dumps(generator.state))
    for draw in draws:
        expected = getattr(generator, draw)((3, 4))
        assert all(numpy.array_equal(getattr(other, draw)((3, 4)), expected) for other in others)


def test_uses_of_one_seed_have_streams_that_are_not_correlated():
    root = Generator(0)
    uses = [root.fold_in(use).normal((50_000,)) for use in ("initialisation", "order", "dropout", "augmentation")]
    correlations = numpy.corrcoef(uses) - numpy.eye(4)
    assert abs(correlations).max() < 0.02
    assert root.position == 0


@pytest.mark.parametrize(
    ("draw", "distribution"),
    [
        (lambda g: g.uniform((50_000,), -2, 3), stats.uniform(-2, 5)),
        (lambda g: g.uniform((50_000,), dtype="float64"), stats.uniform()),
        (lambda g: g.normal((50_000,), 1, 3), stats.norm(1, 3)),
        (lambda g: g.normal((50_000,), dtype="float64"), stats.norm()),
    ],
)
def test_numbers_have_the_distribution_that_was_asked_for(draw, distribution):
    assert stats.kstest(draw(Generator(3)), distribution.cdf).pvalue > 0.001


@pytest.mark.parametrize(
    ("draw", "shares"),
    [
        (lambda g: g.integers(7, (70_000,)), [1 / 7] * 7),
        (lambda g: g.integers(3, (50_000,), low=-1) + 1, [1 / 4] * 4),
        (lambda g: g.choice(3, (50_000,), [0.2, 0.0, 0.8]), [0.2, 0.8]),
        (lambda g: g.bernoulli(0.3, (50_000,)), [0.7, 0.3]),
        (lambda g: numpy.array([g.permutation(5)[0] for _ in range(5000)]), [1 / 5] * 5),
    ],
)
def test_whole_numbers_are_as_frequent_as_was_asked_for(draw, shares):
    counts = numpy.unique(draw(Generator(4)), return_counts=True)[1]
    assert stats.chisquare(counts, counts.sum() * numpy.array(shares)).pvalue > 0.001


def test_a_permutation_has_each_number_once():
    assert sorted(Generator(0).permutation(1000)) == list(range(1000))


@pytest.mark.parametrize(("dtype", "rtol"), [("float32", 1e-6), ("float64", 2e-15)])
def test_the_inverse_of_the_error_function(dtype, rtol):
    x = numpy.concatenate([numpy.linspace(-1, 1, 4001), 1 - numpy.logspace(-16, -1, 99), [2, numpy.nan]]).astype(dtype)
    expected = special.erfinv(x.astype("float64"))
    numpy.testing.assert_allclose(erfinv(x), expected, rtol=rtol, atol=1e-30)
    assert erfinv(x).dtype == dtype
    assert erfinv(x[:4000].reshape(4, 1000)).shape == (4, 1000)
    assert erfinv(x[2]) == erfinv(x)[2]


def test_threads_that_share_a_stream_share_no_number():
    generator, drawn = Generator(0), []

    def draw():
        for _ in range(200):
            drawn.append(generator.bits((3,), "uint64"))

    threads = [threading.Thread(target=draw) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(numpy.unique(drawn)) == 2400


@pytest.mark.parametrize("seed", [-1, 2**64, 1.0, True, "0"])
def test_a_bad_seed_is_refused(seed):
    with pytest.raises(ValueError, match=r"a seed is a whole number of at least 0 and below 2\*\*64, not"):
        Generator(seed)


STATE = Generator(0).state
BAD_STATES = [
    *({**STATE, "key": key} for key in (None, [1], [1, 2, 3], [1, -1], ["1", "2"], [1, 2**32], [1.0, 2])),
    *({**STATE, "position": position} for position in (None, -1, "0", 1.5, True, 2**64)),
    *({name: STATE[name] for name in STATE if name != lost} for lost in STATE),
    *({**STATE, "generator": "PCG64"}, {}, [], None, 5),
]


@pytest.mark.parametrize("state", BAD_STATES)
def test_a_bad_state_is_refused_and_changes_nothing(state):
    generator = Generator(5)
    with pytest.raises(ValueError, match="not the state of a generator"):
        generator.state = state
    assert generator.state == Generator(5).state


@pytest.mark.parametrize("probabilities", [[0.5], [0.5, 0.6], [-0.5, 1.5], [numpy.nan, 1]])
def test_bad_probabilities_are_refused(probabilities):
    with pytest.raises(ValueError, match="probabilities are 2 numbers"):
        Generator(0).choice(2, (), probabilities)


def test_an_empty_range_is_refused():
    with pytest.raises(ValueError, match=r"no whole number in \[3, 3\)"):
        Generator(0).integers(3, (), low=3)
