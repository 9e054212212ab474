"""The compiled kernels: they compute what the operations compute, for any layout, with threads, and after a fork."""

import os
import threading
import warnings

import needs
import numpy
import pytest
from cases import CASES
from test_operations import each, leaves, ours

import ichikara
from ichikara import nn, ops, optim
from ichikara.arrays.threefry import threefry
from ichikara.autodiff import asarray, operations
from ichikara.fast import lookup, random, registry
from ichikara.fast.implementations.layout import scatter_add
from ichikara.fast.product import product, sum_of_rows
from ichikara.fast.replay import program
from ichikara.ops.attention import self_attention
from ichikara.stage import stage

needs.kernels()
from ichikara.fast.jit.tile import TILE_ROWS
from ichikara.fast.jit.vectors import VECTOR_BYTES
from ichikara.fast.kernels.conv import winograd
from ichikara.fast.kernels.conv.col2im import convolution_image
from ichikara.fast.kernels.conv.winograd_weight import weight_gradient
from ichikara.fast.kernels.epilogue import RELU
from ichikara.fast.kernels.gemm import gemm, split_k
from ichikara.fast.kernels.gemm.blocked import splits_k
from ichikara.ops.window import Window

lookup.find("")  # loads them all

convolve, convolve_image, convolve_weight = (
    registry.implementations[name].function for name in ("convolution", "convolution_image", "convolution_weight")
)
EXACT = {"float64": {"rtol": 1e-9, "atol": 1e-10}, "float32": {"rtol": 2e-4, "atol": 2e-5}}


@pytest.fixture
def everywhere(monkeypatch):
    """Kernels for arrays of any size; gives a function that turns them off, or on again."""

    def use(on):
        monkeypatch.setattr(registry, "LARGE", 1 if on else 1 << 60)

    use(True)
    return use


def layouts(arrays):
    """The same numbers: as they are, in Fortran order, and strided."""
    yield arrays
    yield [numpy.asfortranarray(a) if a.ndim else a for a in arrays]
    yield [numpy.repeat(a, 2, axis=-1)[..., ::2] if a.ndim else a for a in arrays]


def test_every_kernel_is_of_an_operation_that_has_cases():
    rows = {case.name for case in CASES}
    for name, functions in registry.kernels.items():
        if name.startswith("arrays.") or name == "normalise_leaky":  # a helper of several operations
            continue
        assert name in rows
        assert set(functions) - {"", registry.INFERENCE} <= set(operations[name].inputs)
        assert registry.INFERENCE not in functions or name in registry.implementations or operations[name].residuals
    for name, of in registry.small_kernels:
        assert name in rows
        assert of in ("", *operations[name].inputs)


@each([case for case in CASES if case.differentiable is True])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_kernels_compute_what_the_operations_compute(case, dtype, everywhere):
    for shapes in (None, *case.shapes):
        for arrays in layouts(case.sample(dtype, shapes)):
            everywhere(True)
            value, gradients = ours(case, arrays)
            everywhere(False)
            expected, expected_gradients = ours(case, arrays)
            for found, wanted in zip((value, *gradients), (expected, *expected_gradients), strict=True):
                assert found.shape == wanted.shape
                assert found.dtype == wanted.dtype
                numpy.testing.assert_allclose(found, wanted, **EXACT[dtype])
            everywhere(True)
            with ichikara.no_grad():  # inference: nothing is saved for the gradients
                inference = case.function(dtype)(*leaves(arrays)).numpy()
            assert inference.dtype == value.dtype
            numpy.testing.assert_allclose(inference, value, **EXACT[dtype])


def large(random, *shape):
    return random.standard_normal(shape).astype("float32")


LARGER = {
    "relu": lambda r: (ops.relu, [large(r, 100, 333)]),
    "tanh": lambda r: (ops.tanh, [large(r, 100, 333)]),
    "sigmoid": lambda r: (ops.sigmoid, [large(r, 100, 333)]),
    "gelu": lambda r: (lambda x: ops.gelu(x, approximate="tanh"), [large(r, 100, 333)]),
    "softmax": lambda r: (ops.softmax, [large(r, 301, 77)]),
    "log_softmax": lambda r: (lambda x: ops.log_softmax(x, axis=0), [large(r, 301, 77)]),
    "layer_norm": lambda r: (
        lambda x, w, b: ops.layer_norm(x, 129, w, b),
        [large(r, 7, 31, 129), large(r, 129), large(r, 129)],
    ),
    "batch_norm": lambda r: (
        lambda x, w, b: ops.batch_norm(x, None, None, w, b, training=True),
        [large(r, 9, 5, 21, 23), large(r, 5), large(r, 5)],
    ),
    "conv2d": lambda r: (
        lambda x, w, b: ops.conv2d(x, w, b, stride=2, padding=(1, 2)),
        [large(r, 9, 5, 29, 27), large(r, 7, 5, 3, 4), large(r, 7)],
    ),
    "conv2d, Winograd": lambda r: (
        lambda x, w, b: ops.conv2d(x, w, b, padding=(1, 0)),
        [large(r, 9, 17, 29, 27), large(r, 19, 17, 3, 3), large(r, 19)],
    ),
    "conv2d, Winograd, stride 2": lambda r: (
        lambda x, w, b: ops.conv2d(x, w, b, stride=2, padding=(1, 2)),
        [large(r, 9, 17, 29, 27), large(r, 19, 17, 4, 4), large(r, 19)],
    ),
    "conv_transpose2d, to few channels": lambda r: (
        lambda x, w, b: ops.conv_transpose2d(x, w, b, stride=(2, 3), padding=(1, 0), output_padding=(1, 2)),
        [large(r, 9, 20, 15, 13), large(r, 20, 2, 4, 3), large(r, 2)],
    ),
    "cross_entropy": lambda r: (
        lambda x: ops.cross_entropy(x, ichikara.asarray(numpy.arange(301) * 7 % 77), ignore_index=5),
        [large(r, 301, 77)],
    ),
    "max_pool2d": lambda r: (lambda x: ops.max_pool2d(x, 3, 2), [large(r, 5, 9, 33, 31)]),
    "attention": lambda r: (
        lambda q, k, v: ops.scaled_dot_product_attention(q, k, v, is_causal=True),
        [large(r, 3, 5, 37, 33), large(r, 3, 5, 37, 33), large(r, 3, 5, 37, 17)],
    ),
    "self_attention": lambda r: (
        lambda x: self_attention(ops.permute_dims(ops.reshape(x, (3, 37, 3, 5, 16)), (2, 0, 3, 1, 4)), is_causal=True),
        [large(r, 3, 37, 240)],
    ),
    "lstm": lambda r: (
        ops.lstm,
        [large(r, 31, 37, 17), large(r, 92, 17), large(r, 92, 23) / 5, large(r, 92), large(r, 92)],
    ),
    "gru": lambda r: (
        ops.gru,
        [large(r, 31, 37, 17), large(r, 69, 17), large(r, 69, 23) / 5, large(r, 69), large(r, 69)],
    ),
    "linear": lambda r: (ops.linear, [large(r, 5, 131, 127), large(r, 129, 127), large(r, 129)]),
    "mean": lambda r: (lambda x: ops.mean(x, axis=(2, -1)), [large(r, 41, 53, 9, 1, 31)]),
    "sum": lambda r: (lambda x: ops.sum(x, axis=-1, keepdims=True), [large(r, 41, 53, 31)]),
    "add": lambda r: (ops.add, [large(r, 7, 31, 129, 5), large(r, 129, 5)]),
    "concat": lambda r: (lambda *x: ops.concat(x, axis=-2), [large(r, 7, 31, 129, 3), large(r, 7, 31, 130, 3)]),
    "a slice of a permuted slice": lambda r: (
        lambda x: ops.permute_dims(x[1:-1], (2, 0, 1))[:, -1, 3:],
        [large(r, 31, 37, 41)],
    ),
    "slices of both": lambda r: (
        lambda x, y: ops.concat([ops.permute_dims(z[:-1], (1, 0, 2)) for z in (x, y)], axis=2)[:, -1],
        [large(r, 31, 37, 41), large(r, 31, 37, 43)],
    ),
    "binary_cross_entropy_with_logits": lambda r: (
        lambda x: ops.binary_cross_entropy_with_logits(x, asarray(numpy.full((201, 99), 0.3, x.dtype))),
        [large(r, 201, 99)],
    ),
}


def computed(name, dtype="float32"):
    function, arrays = LARGER[name](numpy.random.default_rng(0))
    leaves = [asarray(a.astype(dtype), requires_grad=True) for a in arrays]
    value = function(*leaves)
    value.backward(numpy.random.default_rng(1).standard_normal(value.shape).astype(dtype))
    return [value.numpy(), *(leaf.grad.numpy() for leaf in leaves)]


@pytest.mark.parametrize("name", LARGER)
def test_large_inputs_divided_among_threads(name, everywhere, monkeypatch):
    everywhere(False)
    exact = computed(name, "float64")
    everywhere(True)
    found, again = computed(name), computed(name)
    with pytest.importorskip("threadpoolctl").threadpool_limits(1):
        one_thread = computed(name)
    for a, b, c, d in zip(found, again, one_thread, exact, strict=True):
        assert a.tobytes() == b.tobytes()  # the same from run to run
        scale = 1e-5 * max(1.0, float(abs(d).max()))
        numpy.testing.assert_allclose(a, c, rtol=1e-5, atol=scale)  # on one thread the same but for rounding
        numpy.testing.assert_allclose(a, d, rtol=1e-4, atol=2 * scale)


@pytest.mark.parametrize("name", LARGER)
def test_a_replay_of_a_kernel_computes_with_new_numbers(name, monkeypatch):
    monkeypatch.setattr(program, "_STABLE_REPLAYS", 0)
    function, arrays = LARGER[name](numpy.random.default_rng(0))

    def step(*arrays):
        leaves = [asarray(array, requires_grad=True) for array in arrays]
        value = function(*leaves)
        (value * value).sum().backward()
        return [value, *[leaf.grad for leaf in leaves]]

    staged = ichikara.stage(step)
    for seed in range(4):
        random = numpy.random.default_rng(seed)
        given = [array * large(random, *array.shape) for array in arrays]
        for found, wanted in zip(staged(*given), step(*given), strict=True):
            scale = 1e-5 * max(1.0, float(abs(wanted.numpy()).max()))
            numpy.testing.assert_allclose(found.numpy(), wanted.numpy(), rtol=1e-5, atol=scale)
    assert staged.captures == 1


@pytest.mark.parametrize(("operation", "gates", "biases"), [(ops.lstm, 4, 2), (ops.gru, 3, 2), (ops.gru, 3, 0)])
@pytest.mark.parametrize("size", [1, 3, 4, 16, 21])
def test_recurrences_of_few_sequences_and_of_sizes_below_a_vector(operation, gates, biases, size, everywhere):
    random = numpy.random.default_rng(0)
    weights = [large(random, gates * size, 5), large(random, gates * size, size)]
    weights += [large(random, gates * size) for _ in range(biases)]
    for array in weights:
        array.flags.writeable = False
    for count in range(14):
        found = []
        for on in (True, False):
            everywhere(on)
            x = large(numpy.random.default_rng(1), 3, count, 5)
            x.flags.writeable = False
            leaves = [asarray(array, requires_grad=True) for array in (x, *weights)]
            y = operation(*leaves)
            (y * y).sum().backward()
            found.append([y.numpy(), *(leaf.grad.numpy() for leaf in leaves)])
        for a, b in zip(*found, strict=True):
            numpy.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-5 * max(1.0, float(abs(b).max(initial=0.0))))


@pytest.mark.parametrize("keys", [1, 15, 16, 33])
@pytest.mark.parametrize("features", [1, 8, 17])
@pytest.mark.parametrize("causal", [False, True])
def test_attention_of_any_number_of_queries(keys, features, causal, everywhere):
    for queries in (1, 2, 3, 7, 31, 34):
        found = []
        for on, dtype in ((True, "float32"), (False, "float64")):
            everywhere(on)
            random = numpy.random.default_rng(1)
            shapes = (2, 3, queries, features), (2, 3, keys, features), (2, 3, keys, features + 2)
            leaves = [asarray(large(random, *shape).astype(dtype), requires_grad=True) for shape in shapes]
            y = ops.scaled_dot_product_attention(*leaves, is_causal=causal)
            (y * y).sum().backward()
            with ichikara.no_grad():
                assert numpy.array_equal(ops.scaled_dot_product_attention(*leaves, is_causal=causal), y)
            found.append([y.numpy(), *(leaf.grad.numpy() for leaf in leaves)])
        for a, b in zip(*found, strict=True):
            numpy.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize(
    ("count", "channels", "outputs", "size", "padding", "kernel", "stride"),
    [
        (2, 16, 16, (12, 12), ((1, 1), (1, 1)), 3, 1),
        (3, 17, 21, (3, 3), ((0, 0), (0, 0)), 3, 1),
        (11, 16, 18, (4, 5), ((1, 1), (1, 1)), 3, 1),
        (1, 33, 40, (7, 30), ((2, 1), (0, 2)), 3, 1),
        (5, 24, 16, (10, 9), ((2, 2), (2, 2)), 3, 1),
        (2, 1, 3, (13, 6), ((1, 0), (0, 1)), 3, 1),
        (0, 16, 16, (8, 8), ((1, 1), (1, 1)), 3, 1),
        (2, 16, 32, (9, 10), ((0, 1), (1, 1)), 2, 1),
        (10, 16, 32, (14, 14), ((1, 1), (1, 1)), 4, 2),
        (21, 16, 16, (14, 14), ((1, 1), (1, 1)), 4, 2),
        (20, 16, 24, (6, 5), ((1, 1), (1, 1)), 3, 1),
        (9, 16, 16, (8, 10), ((1, 1), (1, 1)), 3, 1),
        (3, 19, 35, (11, 14), ((3, 0), (2, 1)), 4, 2),
        (1, 20, 17, (5, 4), ((0, 3), (0, 1)), 4, 2),
        (2, 5, 3, (17, 12), ((5, 1), (1, 4)), 6, 2),
        (2, 3, 5, (16, 20), ((4, 2), (3, 5)), 6, 3),
    ],
)
def test_winograds_convolution_is_convolution(count, channels, outputs, size, padding, kernel, stride):
    random = numpy.random.default_rng(0)
    window, kernel = Window((stride, stride), padding), (kernel, kernel)
    x = large(random, 2 * count, channels, *size)[::2]  # not contiguous
    weight, bias = large(random, outputs, channels, *kernel), large(random, outputs)
    out = large(random, count, outputs, *window.positions(size, kernel))
    of_channels = large(random, channels)
    exact = [array.astype("float64") for array in (x, weight, bias, out, of_channels)]
    back = winograd.input_gradient(out, weight, of_channels, size, window)
    for found, wanted in (
        (winograd.convolve(x, weight, bias, window), convolve(*exact[:3], window, 1)),
        (back, convolve_image(exact[3], exact[1], exact[4], size, window, 1)),
        (weight_gradient(out, x, kernel, window), convolve_weight(exact[3], exact[0], kernel, window, 1)),
    ):
        assert found.shape == wanted.shape
        assert found.dtype == numpy.float32
        numpy.testing.assert_allclose(found, wanted, rtol=0, atol=2e-5 * abs(wanted).max(initial=1.0))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("channels", "outputs", "groups", "kernel", "stride", "dilation", "padding"),
    [
        (16, 5, 1, (3, 3), (2, 2), (1, 1), ((1, 1), (1, 1))),
        (37, 9, 1, (3, 2), (3, 2), (1, 2), ((0, 2), (1, 0))),  # the window sees some pixels from no position
        (20, 8, 1, (1, 1), (2, 2), (1, 1), ((0, 0), (0, 0))),
        (27, 6, 3, (4, 3), (1, 2), (2, 1), ((1, 0), (2, 1))),
        (17, 6, 1, (3, 3), (1, 1), (2, 1), ((1, 1), (0, 2))),
        (12, 12, 12, (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1))),  # depthwise
        (6, 4, 2, (3, 3), (2, 1), (1, 1), ((1, 1), (1, 1))),
        (1, 3, 1, (4, 4), (2, 2), (1, 1), ((1, 1), (1, 1))),
    ],
)
def test_the_gradient_of_images(channels, outputs, groups, kernel, stride, dilation, padding, dtype):
    random, size = numpy.random.default_rng(0), (11, 13)
    window = Window(stride, padding, dilation)
    weight = random.normal(size=(outputs, channels // groups, *kernel)).astype(dtype)
    out = random.normal(size=(3, outputs, *window.positions(size, kernel))).astype(dtype)
    mask = random.normal(size=(3, channels, *size)).astype(dtype)
    bias = random.normal(size=channels).astype(dtype)
    exact = convolve_image(out.astype("float64"), weight.astype("float64"), None, size, window, groups)
    close = {"rtol": 0, "atol": 1e-4 if dtype == "float32" else 1e-12}
    found = convolution_image(out, weight, None, size, window, groups)
    assert found.dtype == dtype
    numpy.testing.assert_allclose(found, exact, **close)
    with_bias = convolution_image(out, weight, bias, size, window, groups)
    numpy.testing.assert_allclose(with_bias, exact + bias[:, None, None], **close)
    masked = convolution_image(out, weight, None, size, window, groups, mask)
    numpy.testing.assert_array_equal(masked, numpy.where(mask > 0, found, 0))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_elementary_functions(dtype, everywhere):
    x = numpy.concatenate(
        [numpy.linspace(-100, 100, 20001), [0.0, -0.0, numpy.inf, -numpy.inf, numpy.nan, 1e-30, -1e-30]]
    ).astype(dtype)
    for kernel, exact in ((ops.tanh, numpy.tanh), (ops.relu, lambda x: numpy.maximum(x, 0))):
        found = kernel(x).numpy()
        numpy.testing.assert_allclose(found, exact(x.astype("float64")), rtol=1e-6 if dtype == "float32" else 1e-14)
    with numpy.errstate(over="ignore"):
        sigmoid = 1 / (1 + numpy.exp(-x.astype("float64")))
    within = {"float32": 2.5e-7, "float64": 1e-14}[dtype]  # of large numbers too
    numpy.testing.assert_allclose(ops.sigmoid(x).numpy(), sigmoid, rtol=within, atol=1e-37)


def test_adam_takes_the_same_steps(everywhere):
    steps = []
    for on in (True, False):
        everywhere(on)
        random = numpy.random.default_rng(3)
        w = asarray(large(random, 123, 457), requires_grad=True)
        optimizer = optim.Adam([w], lr=0.01, weight_decay=0.1)
        for _ in range(5):
            w.grad = asarray(large(random, 123, 457))
            optimizer.step()
        steps.append((w.numpy(), *optimizer.state_dict()["state"][0].values()))
    for found, wanted in zip(*steps, strict=True):
        numpy.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7)


def trained(seed):
    """The weights of a small network after some steps in which every layer is large enough for a kernel."""
    random = numpy.random.default_rng(seed)
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 49, 32))
    for i, p in enumerate(model.parameters()):
        p.data = numpy.random.default_rng(i).standard_normal(p.shape).astype("float32") * 0.1
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    x, labels = large(random, 64, 1, 16, 16), random.integers(32, size=64)
    for _ in range(10):
        optimizer.zero_grad()
        ops.cross_entropy(model(x), labels).backward()
        optimizer.step()
    return [p.numpy() for p in model.parameters()]


def same(a, b):
    return all(x.tobytes() == y.tobytes() for x, y in zip(a, b, strict=True))


def test_two_trainings_at_once():
    expected = [trained(seed) for seed in (0, 1)]
    found = [None, None]

    def train(seed):
        found[seed] = trained(seed)

    threads = [threading.Thread(target=train, args=(seed,)) for seed in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for a, b in zip(found, expected, strict=True):
        for x, y in zip(a, b, strict=True):
            numpy.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_after_kernels_have_run():
    expected = trained(0)
    with warnings.catch_warnings():
        for kind in (DeprecationWarning, RuntimeWarning):  # Python's and JAX's, on forking beside threads
            warnings.simplefilter("ignore", kind)
        child = os.fork()
    if not child:
        os._exit(0 if same(trained(0), expected) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((700,), (700, 500)),  # few rows and many columns
        ((500, 700), (700,)),
        ((90, 300), (300, 80)),
        ((64, 1), (1, 6272)),  # a short K
        ((17, 3), (3, 9001)),
        ((300, 40), (40, 900)),  # and few rows
        ((32, 64), (64, 128)),  # small matrices, which have no kernel
        ((6, 50, 60), (6, 60, 40)),
        ((3, 2, 50, 60), (60, 70)),
        ((50, 60), (5, 60, 70)),
        ((4, 1, 50, 60), (3, 60, 70)),
        ((300_000,), (300_000,)),
        ((0, 400), (400, 700)),
    ],
)
def test_a_parallel_product_is_the_product(left, right):
    drawn = numpy.random.default_rng(0)
    a, b = drawn.normal(size=left), drawn.normal(size=right)
    found, expected = product(a, b), a @ b
    assert found.shape == expected.shape
    numpy.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "shape", [(2100, 65, 130), (90, 300, 700), (33, 2, 9000), (1, 700, 500), (5, 3, 7), (0, 400, 700)]
)
def test_a_product_with_a_bias(shape, dtype):
    rows, inner, columns = shape
    drawn = numpy.random.default_rng(0)
    x, weight, bias = (drawn.normal(size=size).astype(dtype) for size in ((rows, inner), (columns, inner), 2 * columns))
    bias = bias[::2]  # strided
    expected = x.astype(float) @ weight.T.astype(float) + bias
    close = {"rtol": 0, "atol": 1e-4 if dtype == "float32" else 1e-12}
    numpy.testing.assert_allclose(product(x, weight.T, bias), expected, **close)
    assert product(x, weight.T, bias).dtype == dtype
    numpy.testing.assert_allclose(sum_of_rows(x), x.astype(float).sum(axis=0), **close)


@pytest.fixture
def always_blocked(monkeypatch):
    """Products use the blocked GEMM on any processor, and however small they are."""
    monkeypatch.setattr(gemm, "pays", lambda rows, columns, *others: rows >= len(TILE_ROWS) and columns >= 32)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", ["plain", "A transposed", "B transposed", "both transposed"])
@pytest.mark.parametrize(
    "size", [(8, 64, 32), (9, 65, 33), (130, 500, 100), (1100, 90, 257), (97, 1, 800), (12, 2500, 47)]
)
def test_the_blocked_gemm(size, layout, dtype, always_blocked):
    m, k, n = size
    drawn = numpy.random.default_rng(0)
    a, b, bias = (drawn.normal(size=shape).astype(dtype) for shape in ((m, k), (k, n), n))
    a = numpy.asfortranarray(a) if layout in ("A transposed", "both transposed") else a
    b = numpy.asfortranarray(b) if layout in ("B transposed", "both transposed") else b
    expected = a.astype(float) @ b.astype(float)
    close = {"rtol": 0, "atol": (1e-5 if dtype == "float32" else 1e-13) * k}
    mask = drawn.normal(size=(m, n)).astype(dtype)
    for cost in (1, 1 << 40):  # by one thread and by all
        found = gemm.matmul(a, b, None, cost)
        numpy.testing.assert_allclose(found, expected, **close)
        numpy.testing.assert_array_equal(gemm.matmul(a, b, None, cost), found)
        numpy.testing.assert_allclose(gemm.matmul(a, b, bias, cost), expected + bias, **close)
        relu = gemm.matmul(a, b, bias, cost, RELU)
        numpy.testing.assert_allclose(relu, numpy.maximum(expected + bias, 0), **close)
        passed = gemm.matmul(a, b, None, cost, mask)
        numpy.testing.assert_allclose(passed, numpy.where(mask > 0, found, 0), **close)


@pytest.mark.parametrize("threads", [2, 3])
def test_split_k_of_the_blocked_gemm(threads, always_blocked, monkeypatch):
    monkeypatch.setattr(gemm, "threads_for", lambda cost: threads)
    drawn = numpy.random.default_rng(0)
    a, b = drawn.normal(size=(1001, 21)), drawn.normal(size=(1001, 65))
    divided = []
    monkeypatch.setattr(gemm, "splits_k", lambda *given: divided.append(splits_k(*given)) or divided[-1])
    found = gemm.matmul(a.T, b, None, 1 << 40)
    numpy.testing.assert_allclose(found, a.T @ b, rtol=0, atol=1e-11)
    assert divided == [True]


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [(16, 2049, 32), (48, 2600, 96), (48, 5000, 96), (21, 2600, 65)])
def test_split_k_with_both_matrices_packed(size, dtype, threads, monkeypatch):
    m, k, n = size
    monkeypatch.setattr(gemm, "threads_for", lambda cost: threads)
    drawn = numpy.random.default_rng(0)
    a, b = drawn.normal(size=(k, m)).astype(dtype), drawn.normal(size=(k, n)).astype(dtype)
    found = gemm.matmul(a.T, b, None, 1 << 40)
    expected = a.T.astype(float) @ b.astype(float)
    numpy.testing.assert_allclose(found, expected, rtol=0, atol=(1e-6 if dtype == "float32" else 1e-14) * k)
    assert split_k.packs_both(found, k, threads) is (VECTOR_BYTES == 64 and m % 16 == 0)


def test_the_blocked_gemm_propagates_nan_and_infinity(always_blocked):
    a, b = numpy.ones((60, 70)), numpy.ones((70, 64))
    a[3, 5], b[7, 60], a[9, 9], a[9, 10] = numpy.nan, numpy.inf, numpy.inf, -numpy.inf
    with numpy.errstate(invalid="ignore"):
        expected = a @ b
        numpy.testing.assert_array_equal(product(a, b), expected)
    relu = gemm.matmul(a, b, None, 1, RELU)
    numpy.testing.assert_array_equal(relu, numpy.maximum(expected, 0))
    passed = gemm.matmul(a, b, None, 1, expected)
    numpy.testing.assert_array_equal(passed, numpy.where(expected > 0, expected, 0))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("shape", [(2100, 65, 130), (90, 300, 701), (70_000, 3, 1)])
def test_scatter_add_of_rows(shape, dtype):
    count, into, width = shape
    drawn = numpy.random.default_rng(0)
    index = drawn.integers(-into, into, (2, count // 2))
    for g in (drawn.normal(size=(2, count // 2, width)), drawn.normal(size=(2, count // 2, 2 * width))[..., ::2]):
        g, expected = g.astype(dtype), numpy.zeros((into, width), dtype)
        numpy.add.at(expected, index, g)
        numpy.testing.assert_array_equal(scatter_add(g, index, expected.shape), expected)
    split = numpy.zeros((into, 2, 3), dtype)
    g = drawn.normal(size=(count, 2, 3)).astype(dtype)
    numpy.add.at(split, index.ravel(), g)
    numpy.testing.assert_array_equal(scatter_add(g, (index.ravel(),), split.shape), split)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("count", [1, 2, 4, 5, 11, 12, 13])
def test_few_rows_times_a_transposed_matrix(count, dtype):
    drawn = numpy.random.default_rng(0)
    a, weight = (drawn.normal(size=size).astype(dtype) for size in ((2 * count, 333), (777, 333)))
    for rows in (a[:count], a[::2]):  # the second is strided
        found = product(rows, weight.T)
        assert found.dtype == dtype
        numpy.testing.assert_allclose(found, rows @ weight.T, **EXACT[dtype])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("columns", [1, 2, 10, 31])
def test_many_rows_times_a_transposed_matrix_of_few_columns(columns, dtype):
    drawn = numpy.random.default_rng(0)
    a, weight, bias = (drawn.normal(size=size).astype(dtype) for size in ((1503, 301), (columns, 301), columns))
    close = {"rtol": 0, "atol": 1e-4 if dtype == "float32" else 1e-12}
    for rows in (a, a[::2], a[:702]):
        rows = numpy.ascontiguousarray(rows)
        for more in (None, bias):
            expected = rows.astype(float) @ weight.T.astype(float) + (0 if more is None else more)
            for cost in (1, 1 << 40):  # by one thread and by all
                found = gemm.matmul(rows, weight.T, more, cost)
                assert found.dtype == dtype
                numpy.testing.assert_allclose(found, expected, **close)
                relu = gemm.matmul(rows, weight.T, more, cost, RELU)
                numpy.testing.assert_array_equal(relu, numpy.maximum(found, 0))


def test_without_numba_operations_compute(monkeypatch):
    monkeypatch.setattr(registry, "kernels", {})
    monkeypatch.setattr(registry, "LARGE", 1)
    assert lookup.find("relu") == {}
    assert ops.relu([-1.0, 1.0]).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("staged", [False, True])
def test_arrays_in_the_other_byte_order(staged):
    """As a file may have them: no kernel takes them, and a tensor made of them is in the processor's byte order."""
    drawn = numpy.random.default_rng(0)
    x, image = drawn.normal(size=(300, 64)).astype("float32"), drawn.normal(size=(2, 3, 64, 64)).astype("float32")
    labels, weight = drawn.integers(0, 64, 300), drawn.normal(size=(8, 3, 3, 3)).astype("float32")

    def swapped(array):
        return array.astype(array.dtype.newbyteorder())

    for function, arrays in (
        (ops.relu, [x]),
        (ops.softmax, [x]),
        (ops.cross_entropy, [x, labels]),
        (ops.linear, [x, x]),
        (lambda a, bias: ops.linear(asarray(x), asarray(x), bias) + a[:, :1], [x, x[:, 0].copy()]),
        (ops.embedding, [labels, x]),
        (lambda a: a[1:] + a[:-1], [x]),
        (ops.conv2d, [image, weight]),
    ):
        expected = function(*map(asarray, arrays)).numpy()
        given = [swapped(array) for array in arrays]
        tensors = [asarray(array) for array in given]
        assert all(tensor.dtype == array.dtype for tensor, array in zip(tensors, arrays, strict=True))
        call = stage(lambda *some, function=function: function(*some)) if staged else function
        for _ in range(4 if staged else 1):
            for some in (given, tensors):
                numpy.testing.assert_allclose(numpy.asarray(call(*some)), expected, rtol=1e-4, atol=1e-5)


# --- random numbers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [0, 2**32 - 5, 2**63])
@pytest.mark.parametrize("count", [0, 1, 7, 20_000])
def test_random_bits_are_the_same(first, count):
    assert numpy.array_equal(random.threefry((1, 2), first, count), threefry((1, 2), first, count))
