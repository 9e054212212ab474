"""Compiled work shared out among threads that need no lock of Python's.

A thread that sleeps is woken in some 50 µs, and one that runs Python waits for Python's lock; in that time a processor
does ten million multiplications. So the workers of `arrays.workers` stay awake for a moment after their last work, in
a compiled loop, and watch their *box*: a place in memory where the next job is left. Only atomic reads and writes pass
between the threads.

A kernel is a function of a range, and is called with what the range is a part of::

    @shared
    def _double(first, last, x, y):
        x, y = x[first:last], y[first:last]
        for i in range(x.size):
            y[i] = 2 * x[i]

    together(_double, cost, x.size, x, y)

Where the parts need to know more of each other, a function of a team calls `share_out` itself.

Nobody is waited for who has not begun: the pieces of a job are taken one by one by whoever is there, and when there are
none left, the job is taken back from the boxes of those who have slept all the time.
"""

import ctypes
import sys
from functools import partial

from .. import workers
from .compiled import compiled, named
from .deferred import inner, intrinsic, later
from .kept import name_address

__all__ = ["bounds", "share_out", "shared"]

building, cgutils = later(f"{__package__}.building"), later("numba.core.cgutils")
ir, types = later("llvmlite.ir"), later("numba.types")

# --- what passes between threads --------------------------------------------------------------------------------------
# All of it are numbers of 64 bits at an address, read and written whole and in order.


def _place(builder, address):
    return builder.inttoptr(address, ir.IntType(64).as_pointer())


@intrinsic
def _load(typing, address):
    def code(context, builder, sig, args):
        return builder.load_atomic(_place(builder, args[0]), "seq_cst", 8)

    return types.intp(types.intp), code


@intrinsic
def _store(typing, address, number):
    def code(context, builder, sig, args):
        builder.store_atomic(args[1], _place(builder, args[0]), "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), code


@intrinsic
def _add(typing, address, number):
    """Add to what is there, and tell what was there before."""

    def code(context, builder, sig, args):
        return builder.atomic_rmw("add", _place(builder, args[0]), args[1], "seq_cst")

    return types.intp(types.intp, types.intp), code


@intrinsic
def _replace(typing, address, old, new):
    """Put the new number in the place of the old one; whether that was there."""

    def code(context, builder, sig, args):
        place = _place(builder, args[0])
        return builder.extract_value(builder.cmpxchg(place, *args[1:], "seq_cst", "seq_cst"), 1)

    return types.boolean(types.intp, types.intp, types.intp), code


@intrinsic
def _step_aside(typing):
    """Let other threads run first."""

    def code(context, builder, sig, args):
        kind = ir.FunctionType(ir.IntType(32), [])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, "ichikara_step_aside"), [])

    return types.int32(), code


def _name_step_aside():
    """Give the system's function that lets other threads run first a name that compiled code can call."""
    windows = sys.platform == "win32"
    function = getattr(ctypes.CDLL("kernel32" if windows else None), "SwitchToThread" if windows else "sched_yield")
    name_address("ichikara_step_aside", ctypes.cast(function, ctypes.c_void_p).value)


_name_step_aside()

# --- a job ------------------------------------------------------------------------------------------------------------

# Where things are, in a box (`workers.Worker`) and in a job, in bytes.
_STATE, _AWAKE, _JOB = 0, 8, 16
_WORK, _ARGUMENTS, _COUNT, _STEP, _NEXT, _FAILED = 0, 8, 16, 24, 32, 40
_FREE, _POSTED, _RUNNING, _CALLED = range(4)  # the states of a box

_GLANCES = 64  # at a box before others are let run, about a microsecond
_PATIENCE = 1000  # times that they are let run before a worker goes to sleep, about a millisecond


def _ranged():
    """The form of f(address of the arguments, first, last)."""
    return types.none(types.intp, types.intp, types.intp)


@intrinsic
def _note(typing, numbers):
    """The address of a copy of some numbers, which is on the stack like that of `_pack`."""

    def code(context, builder, sig, args):
        return builder.ptrtoint(cgutils.alloca_once_value(builder, args[0]), ir.IntType(64))

    return types.intp(numbers), code


@intrinsic
def _call(typing, work, arguments, first, last):
    """Call a packed function; whether it failed."""

    def code(context, builder, sig, args):
        status, _ = building.call_at(context, builder, _ranged(), args[0], args[1:])
        return status.is_error

    return types.boolean(types.intp, types.intp, types.intp, types.intp), code


@inner
def _do_pieces(job):
    work, arguments, count, step = _load(job + _WORK), _load(job + _ARGUMENTS), _load(job + _COUNT), _load(job + _STEP)
    first = _add(job + _NEXT, step)
    while first < count:
        if _call(work, arguments, first, min(first + step, count)):
            _store(job + _FAILED, 1)
        first = _add(job + _NEXT, step)


@inner
def _spread(team, count, pieces, work, arguments):
    """Do a job together; when this ends, nobody works on it any more."""
    pieces = max(pieces, len(team) + 1)
    job = _note((work, arguments, count, (count + pieces - 1) // pieces, 0, 0))
    for box in team:
        if box:
            _store(box + _JOB, job)
            _store(box + _STATE, _POSTED)
    _do_pieces(job)
    for box in team:
        glances = 0
        if box and not _replace(box + _STATE, _POSTED, _FREE):
            while _load(box + _STATE) == _RUNNING:
                glances += 1
                if glances % _GLANCES == 0:
                    _step_aside()
    if _load(job + _FAILED):
        raise MemoryError("a kernel has failed on one of its threads, most likely for want of memory")


@compiled
def serve(box):
    """What a worker does while it is awake: job by job, until it is called or nothing has come for a while."""
    glances = 0
    while glances < _GLANCES * _PATIENCE:
        if _replace(box + _STATE, _POSTED, _RUNNING):
            _do_pieces(_load(box + _JOB))
            _store(box + _STATE, _FREE)
            glances = 0
        elif _replace(box + _STATE, _CALLED, _FREE):
            break
        glances += 1
        if glances % _GLANCES == 0:
            _step_aside()
    _store(box + _AWAKE, 0)


workers.let_serve(serve)


@intrinsic
def share_out(typing, team, count, pieces, work, arguments):
    """Call ``work(first, last, *arguments)`` for ranges that together are ``range(count)``; in compiled code only.

    Arguments: ``team``, the boxes of those who help, 0 for one who is not there; ``pieces``, how many ranges there are,
    0 for as few as do.
    """

    def code(context, builder, sig, args):
        # The arguments are put on the stack of the function that shares out, which waits until nobody needs them; what
        # is passed on is where they are, and a function that fetches them from there and calls the other.
        kept = cgutils.alloca_once_value(builder, args[4])
        form = _ranged()
        kind = context.call_conv.get_function_type(form.return_type, form.args)
        function = ir.Function(builder.module, kind, builder.module.get_unique_name("fetching"))
        function.linkage = "internal"
        inside = ir.IRBuilder(function.append_basic_block())
        address, first, last = context.call_conv.get_arguments(function)
        found = cgutils.unpack_tuple(inside, inside.load(inside.inttoptr(address, kept.type)))
        called = context.typing_context.resolve_function_type(work, (types.intp, types.intp, *arguments), {})
        context.get_function(work, called)(inside, [first, last, *found])
        context.call_conv.return_value(inside, context.get_constant_null(types.none))

        places = [builder.ptrtoint(place, ir.IntType(64)) for place in (function, kept)]
        spread_of = types.void(team, types.intp, types.intp, types.intp, types.intp)
        return context.call_internal(
            builder, building.part(context, _spread, spread_of), spread_of, [*args[:3], *places]
        )

    return types.void(team, types.intp, types.intp, work, arguments), code


@inner
def bounds(count, part, parts):
    """Where one of the equal parts of a range begins and ends; in compiled code."""
    return count * part // parts, count * (part + 1) // parts


def shared(function=None, *, makes_arrays=False):
    """Decorator: a function of a range, ``f(first, last, *rest)``, compiled as one of a team, for `workers.together`.

    Of a team it is ``f(team, count, *rest)``, where ``count`` is the end of the whole range.

    Arguments: ``makes_arrays``, as of `compiled`.
    """
    if function is None:
        return partial(shared, makes_arrays=makes_arrays)
    some = inner(function, makes_arrays=makes_arrays)

    def all_of_it(team, count, *arguments):
        share_out(team, count, 0, some, arguments)

    return compiled(named(all_of_it, function))
