"""The thread team: nothing is lost, nothing is left behind, and the libraries get their threads back."""

import os
import subprocess
import sys
import threading
import time
import warnings

import needs
import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from ichikara import ops
from ichikara.fast.product import product
from ichikara.fast.threads.blas_threads import rescan
from ichikara.fast.threads.team import parallel_map
from ichikara.optim import rules

LARGE = 10**9


def blas_threads():
    return max((found["num_threads"] for found in threadpool_info() if found["user_api"] == "blas"), default=1)


@pytest.fixture(autouse=True)
def _two_threads():
    rescan()  # for a library that another test has loaded since
    with threadpool_limits(2, user_api="blas"):
        yield


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7])
def test_every_chunk_is_computed_once_and_in_order(count):
    parts = parallel_map(lambda part: list(range(part.start, part.stop)), count, LARGE)
    assert [i for part in parts for i in part] == list(range(count))


def test_chunks_run_in_parallel_with_one_library_thread_each_and_threads_are_restored():
    meeting = threading.Barrier(2, timeout=30)
    seen = parallel_map(lambda part: (meeting.wait(), blas_threads(), threading.get_ident())[1:], 2, LARGE)
    assert [threads for threads, _ in seen] == [1, 1]
    assert len({thread for _, thread in seen}) == 2
    assert blas_threads() == 2


def test_small_tasks_and_a_library_of_one_thread_stay_on_the_calling_thread():
    assert parallel_map(lambda part: (part, threading.get_ident()), 8, 10) == [(slice(0, 8), threading.get_ident())]
    with threadpool_limits(1, user_api="blas"):
        assert parallel_map(lambda part: (part, threading.get_ident()), 8, LARGE) == [
            (slice(0, 8), threading.get_ident())
        ]


@pytest.mark.parametrize("failing", [0, 1])
def test_an_error_is_raised_when_all_chunks_have_ended(failing):
    ended = []

    def task(part):
        if part.start == failing:
            raise KeyError("lost")
        time.sleep(0.05)
        ended.append(part.start)

    with pytest.raises(KeyError, match="lost"):
        parallel_map(task, 2, LARGE)
    assert ended == [1 - failing]
    assert blas_threads() == 2


def test_two_callers_at_once_do_not_take_each_others_threads():
    results = []

    def caller():
        for _ in range(20):
            results.append(sum(parallel_map(lambda part: part.stop - part.start, 5, LARGE)))

    callers = [threading.Thread(target=caller) for _ in range(3)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join(30)
    assert results == [5] * 60
    assert blas_threads() == 2


def test_the_callers_errstate_applies_in_every_chunk():
    with np.errstate(divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert parallel_map(lambda part: float(np.ones(1)[0] / np.zeros(1)[0]), 2, LARGE) == [np.inf, np.inf]


PRODUCTS = [(300, 200, 100), (100, 200, 300), (257, 129, 65), (1, 700, 900), (900, 700, 1)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sizes", PRODUCTS)
@pytest.mark.parametrize("transposed", [(False, False), (True, False), (False, True), (True, True)])
def test_a_product_is_numpys_for_any_layout(sizes, transposed, dtype):
    (m, k, n), drawn = sizes, np.random.default_rng(0)
    a, b = drawn.normal(size=(m, k)).astype(dtype), drawn.normal(size=(k, n)).astype(dtype)
    a, b = (np.asfortranarray(x) if each else x for x, each in zip((a, b), transposed, strict=True))
    read_only = a.copy(order="K")
    read_only.flags.writeable = False
    wide = np.zeros((m, 2 * k), dtype)
    wide[:, ::2] = a
    expected = a @ b
    for left in (a, read_only, wide[:, ::2]):
        y = product(left, b)
        assert y.dtype == dtype
        np.testing.assert_allclose(y, expected, rtol=1e-4 if dtype == np.float32 else 1e-12, atol=1e-4)
    assert blas_threads() == 2


def test_parallel_kernels_of_several_callers_at_once():
    needs.kernels()
    rules.adam(*[np.zeros(1 << 14)] * 2, {})  # compiled before the others start
    wrong = []

    def caller(seed):
        drawn = np.random.default_rng(seed)
        for n in (1 << 14, (1 << 17) + 1, 300_001):
            w, g = drawn.normal(size=n), drawn.normal(size=n)
            for _ in range(20):
                new, _ = rules.adam(w, g, {}, lr=0.1)
                if not np.allclose(new, w - 0.1 * g / (abs(g) + 1e-8), rtol=1e-9, atol=1e-9):
                    wrong.append(n)
            parallel_map(lambda part: None, 2, LARGE)  # another kind of job for the same threads

    callers = [threading.Thread(target=caller, args=(seed,)) for seed in range(3)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join(60)
    assert not any(thread.is_alive() for thread in callers)
    assert not wrong


KERNELS = """
import sys
import numpy
from ichikara.fast.jit.dispatcher import compiled
from ichikara.fast.jit.lazy import inner
from ichikara.fast.threads.fork_join import fork_join
from ichikara.fast.threads.team import parallel_for

@inner
def add_some(first, last, x, y):
    for i in range(first, last):
        y[i] = x[i] + 2

@compiled
def add(team, x, y):
    fork_join(team, x.size, 0, add_some, (x, y))

@inner
def take_some(first, last, x, y):
    for i in range(first, last):
        y[i] = x[i] - 2

@compiled
def take(team, x, y):
    fork_join(team, x.size, 0, take_some, (x, y))

for name in sys.argv[1:]:
    x = numpy.arange(10.0)
    y = numpy.zeros(10)
    parallel_for(globals()[name], 10**9, x, y)
    assert (y == x + {"add": 2, "take": -2}[name]).all(), (name, y)
"""


def test_kernels_that_were_compiled_in_different_processes_are_distinguished(tmp_path):
    needs.kernels()
    (tmp_path / "two.py").write_text(KERNELS)
    for names in (["add"], ["take"], ["add", "take"]):
        environment = {
            **os.environ,
            "NUMBA_CACHE_DIR": str(tmp_path / "cache"),
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        subprocess.run([sys.executable, "two.py", *names], cwd=tmp_path, env=environment, check=True, timeout=120)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning", "ignore:.*fork:RuntimeWarning")
def test_a_fork_after_threads_have_run_works():
    large = np.ones((400, 400))
    expected = product(large, large)
    parallel_map(lambda part: None, 2, LARGE)
    child = os.fork()
    if not child:
        done = parallel_map(lambda part: part.stop - part.start, 4, LARGE)
        same = np.array_equal(product(large, large), expected)
        os._exit(0 if sum(done) == 4 and same else 1)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            break
        time.sleep(0.01)
    else:
        os.kill(child, 9)
        os.waitpid(child, 0)
        pytest.fail("the child did not come back")
    assert status == 0


def test_a_convolution_is_the_same_for_any_number_of_threads_and_from_run_to_run():
    drawn = np.random.default_rng(0)
    x, weight = drawn.normal(size=(9, 8, 16, 16)), drawn.normal(size=(16, 8, 3, 3))
    found = {}
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            for _ in range(2):
                leaves = [ops.asarray(x, requires_grad=True), ops.asarray(weight, requires_grad=True)]
                y = ops.conv2d(*leaves, padding=1)
                y.backward(np.sin(y.numpy()))
                result = [y.numpy(), *(leaf.grad.numpy() for leaf in leaves)]
                for mine, other in zip(result, found.setdefault(threads, result), strict=True):
                    assert np.array_equal(mine, other)
    for one, two in zip(found[1], found[2], strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-12)
