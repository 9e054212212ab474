"""A program that uses a lesson where only NumPy is there: ``python alone.py LESSON``, or without one the engine alone.

Nothing is imported but Python's own library, NumPy and ichikara, without its wing `ichikara.fast`; no thread, process
or connection is begun. So it is where Python runs in a browser.
"""

import importlib.abc
import math
import random
import sys
import threading
import warnings

ALLOWED = {"course_values", "ichikara", "numpy", *sys.stdlib_module_names}
REFUSED = ("subprocess.Popen", "os.fork", "os.posix_spawn", "os.exec", "os.system", "socket.connect")


class Refuse(importlib.abc.MetaPathFinder):
    """Finds no module of any other package."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in ALLOWED and not name.startswith("_sysconfigdata"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def refuse(event, arguments):
    if event.startswith(REFUSED):
        raise RuntimeError(f"{event} is refused here")


def no_thread(thread):
    raise RuntimeError("can't start new thread")


def begin():
    """From here on the rest is refused."""
    sys.meta_path.insert(0, Refuse())
    sys.modules["ichikara.fast"] = None
    sys.addaudithook(refuse)
    threading.Thread.start = no_thread
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", "ichikara.fast cannot be imported")


def engine():
    """What lessons use of the engine, beyond what each of them proves of itself."""
    import numpy

    import ichikara
    from ichikara import data, nn, ops, optim

    x = numpy.linspace(-6, 6, 1001)
    assert ops.erf(x).tolist() == [math.erf(value) for value in x.tolist()]
    assert ops.erf(numpy.zeros((0, 3), "float32")).shape == (0, 3)
    assert nn.GELU()(ichikara.asarray([0.0], requires_grad=True)).dtype == numpy.float32
    for load in (
        data.load_moons,
        data.load_circles,
        data.load_blobs,
        data.load_spirals,
        data.load_xor,
        data.load_cubic,
    ):
        assert len(load(50).inputs) == 50
    cubic = data.load_cubic(30)
    assert len(data.split(cubic, validation=0.2, test=0.2).test) == 6
    assert len(data.k_folds(cubic, 5)) == 5
    moons = data.load_moons(200, noise=0.1)
    net = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
    optimizer = optim.Adam(net.parameters(), lr=0.05)
    for x, y in data.DataLoader(
        data.StandardScaler().fit(moons).transform(moons), batch_size=32, generator=ichikara.Generator(0)
    ):
        optimizer.zero_grad()
        loss = ops.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
    assert loss.item() < math.log(2)


def lesson(slug):
    """All that a lesson computes: figures at the start and elsewhere, formulas, predictions, claims, answers."""
    from course_values import random_value, verdict

    from ichikara.course.lesson import call
    from ichikara.course.lessons import lesson_of
    from ichikara.words import in_language

    lesson, draw = lesson_of(slug), random.Random(5)
    others = {name: random_value(control, draw) for name, control in lesson.controls.items()}
    with in_language("ja"):
        for values in (lesson.values({}), lesson.values(others)):
            for name in lesson.figures:
                lesson.show(name, values).chart.to_dict()
            for formula in lesson.formulas.values():
                assert call(formula, values)
        for name in lesson.actions:
            lesson.moved(name, lesson.values({}))
        for prediction in lesson.predictions.values():
            assert prediction.answer().right
            assert prediction.charts is None or prediction.charts()
        for claim in lesson.claims.values():
            assert claim().holds
        for experiment in lesson.experiments.values():
            next(call(experiment, lesson.values({})))
        for exercise in lesson.exercises.values():
            assert verdict(exercise, exercise.right) is None, exercise.name


if __name__ == "__main__":
    begin()
    if len(sys.argv) > 1:
        lesson(sys.argv[1])
    else:
        engine()
