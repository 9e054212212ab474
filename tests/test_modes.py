"""Modes as decorators: they hold while the body of a function runs, whatever kind of function it is, and then alone."""

import asyncio
from functools import partial

import pytest

import ichikara
from ichikara.arrays import Interpreter, Observer, default_generator, interpreting, seam, using
from ichikara.data.folds import inside_fold, refuse_inside_fold
from ichikara.errors import UserError

X = ichikara.asarray(2.0, requires_grad=True)
STREAM, WATCH = ichikara.Generator(0), Observer(Interpreter())


def records():
    return (X * X).requires_grad


def is_in_fold():
    try:
        refuse_inside_fold()
    except UserError:
        return True
    return False


# A mode, what it is recognised by, and what that is inside and outside of it.
MODES = {
    "no_grad": (ichikara.no_grad, records, False, True),
    "using": (partial(using, STREAM), lambda: default_generator() is STREAM, True, False),
    "interpreting": (partial(interpreting, WATCH), lambda: seam.interpreter is WATCH, True, False),
    "inside_fold": (inside_fold, is_in_fold, True, False),
}


@pytest.fixture(params=MODES)
def mode(request):
    make, seen, inside, outside = MODES[request.param]
    assert seen() is outside
    yield make(), seen, inside, outside
    assert seen() is outside


def test_a_function_and_its_methods(mode):
    decorate, seen, inside, _ = mode

    class Kind:
        @decorate
        def method(self):
            return seen()

        @decorate
        @staticmethod
        def static():
            return seen()

        @classmethod
        @decorate
        def of_class(cls):
            return seen()

    @decorate
    def nested(depth):
        """Says it."""
        return [seen(), *(nested(depth - 1) if depth else [])]

    assert [Kind().method(), Kind.static(), Kind.of_class(), *nested(2)] == [inside] * 6
    assert (nested.__name__, nested.__doc__) == ("nested", "Says it.")


def test_a_generator_in_all_its_ways(mode):
    decorate, seen, inside, outside = mode
    notes = []

    @decorate
    def numbers(count):
        try:
            for k in range(count):
                try:
                    notes.append((yield k, seen()))
                except KeyError:
                    yield "caught", seen()
            return "end", seen()
        finally:
            notes.append(seen())

    for k, found in numbers(3):
        assert (found, seen()) == (inside, outside), k
    assert notes == [None, None, None, inside]
    one = numbers(2)
    next(one)
    assert one.send("sent") == (1, inside)
    assert one.throw(KeyError) == ("caught", inside)
    with pytest.raises(StopIteration) as end:
        next(one)
    assert end.value.value == ("end", inside)
    with pytest.raises(ZeroDivisionError):
        next(failing(decorate))
    assert seen() is outside
    left = numbers(2)
    next(left)
    left.close()
    assert notes[-1] is inside


def failing(decorate):
    @decorate
    def fails():
        yield 1 / 0

    return fails()


def test_generators_that_take_turns(mode):
    decorate, seen, inside, outside = mode

    @decorate
    def one():
        while True:
            yield seen()

    def other():
        while True:
            yield seen()

    turns = zip(one(), other(), one(), strict=False)
    for _ in range(3):
        assert next(turns) == (inside, outside, inside)
        assert seen() is outside


def test_asynchronous_functions_and_generators(mode):
    decorate, seen, inside, outside = mode
    notes = []

    @decorate
    async def waits():
        before = seen()
        await asyncio.sleep(0)
        return before, seen()

    @decorate
    async def gives():
        try:
            got = yield seen()
            await asyncio.sleep(0)
            try:
                yield got, seen()
            except KeyError:
                yield "caught", seen()
        finally:
            await asyncio.sleep(0)
            notes.append(seen())

    async def main():
        tasks = [asyncio.create_task(waits()) for _ in range(3)]
        await asyncio.sleep(0)
        assert seen() is outside
        assert [await task for task in tasks] == [(inside, inside)] * 3
        generator = gives()
        assert await generator.asend(None) is inside
        assert seen() is outside
        assert await generator.asend(5) == (5, inside)
        assert await generator.athrow(KeyError()) == ("caught", inside)
        await generator.aclose()
        assert [found async for found in gives()] == [inside, (None, inside)]
        assert notes == [inside, inside]
        assert seen() is outside

    asyncio.run(main())


def test_enable_grad_in_a_generator():
    @ichikara.enable_grad()
    def recorded():
        yield records()
        yield records()

    with ichikara.no_grad():
        for found in recorded():
            assert found
            assert not records()


@pytest.mark.parametrize("what", [int, ichikara.nn.Linear, 3])
def test_a_class_is_refused(mode, what):
    with pytest.raises(TypeError, match="a function or a method can be decorated"):
        mode[0](what)
