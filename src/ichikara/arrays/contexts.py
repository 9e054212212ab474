"""Context managers that are decorators too, of generators and of asynchronous functions as well.

The body of a generator runs in pieces, and its caller runs between them. So the context is entered for each piece, and
left before the caller goes on. It is the same with functions that await.
"""

import contextlib
from collections.abc import Callable, Generator, Iterator
from functools import partial, wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from types import coroutine
from typing import Any

__all__ = ["context_decorator", "contextmanager"]


def contextmanager(function: Callable[..., Iterator[Any]]) -> Callable[..., Any]:
    """As `contextlib.contextmanager`, for contexts that also decorate functions of the kinds named above."""
    make = contextlib.contextmanager(function)

    @wraps(function)
    def made(*args, **options):
        return _Context(partial(make, *args, **options))

    return made


class _Context:
    def __init__(self, make: Callable[[], Any]):
        self._make = make
        self._entered: list[Any] = []

    def __enter__(self) -> Any:
        self._entered.append(self._make())
        return self._entered[-1].__enter__()

    def __exit__(self, *exception) -> Any:
        return self._entered.pop().__exit__(*exception)

    def __call__(self, function: Callable) -> Callable:
        return context_decorator(self._make, function)


def context_decorator(make: Callable[[], Any], function: Any) -> Any:
    """The function with its body in a context, whenever the body runs.

    Arguments: ``make``, makes the context; each call, and each piece of a body, has one of its own.

    Raises TypeError for a class.
    """
    if isinstance(function, staticmethod | classmethod):
        return type(function)(context_decorator(make, function.__func__))
    if isinstance(function, type) or not callable(function):
        what = f"{function.__name__} is a class: decorate its methods" if isinstance(function, type) else repr(function)
        raise TypeError(f"a function or a method can be decorated with a context, and {what}")
    called: Any
    if isgeneratorfunction(function):

        def called(*args, **options):
            return (yield from _in_pieces(make, function(*args, **options)))

    elif iscoroutinefunction(function):

        async def called(*args, **options):
            return await _in_pieces(make, function(*args, **options))

    elif isasyncgenfunction(function):

        async def called(*args, **options):
            generator = function(*args, **options)
            going_on = generator.asend(None)
            while True:
                try:
                    given = await _in_pieces(make, going_on)
                except StopAsyncIteration:
                    return
                try:
                    going_on = generator.asend((yield given))
                except GeneratorExit:
                    await _in_pieces(make, generator.aclose())
                    raise
                except BaseException as error:
                    going_on = generator.athrow(error)

    else:

        def called(*args, **options):
            with make():
                return function(*args, **options)

    return wraps(function)(called)


@coroutine
def _in_pieces(make: Callable[[], Any], body: Any) -> Generator[Any, Any, Any]:
    """Go through a generator, or what is awaited, each piece in a context."""
    go_on = partial(body.send, None)
    while True:
        with make():
            try:
                given = go_on()
            except StopIteration as end:
                return end.value
        try:
            go_on = partial(body.send, (yield given))
        except GeneratorExit:
            with make():
                body.close()
            raise
        except BaseException as error:
            go_on = partial(body.throw, error)
