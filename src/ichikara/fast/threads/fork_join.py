"""Parallel loops in compiled code, run by a thread team without Python's lock.

A sleeping thread is woken in some 50 µs, and one that runs Python waits for Python's lock; in that time a processor
does ten million multiplications. So the workers of `threads.team` stay awake for a moment after their last job. In a
compiled loop each of them watches its *mailbox*, a place in memory to which the next job is posted. Only atomic reads
and writes pass between the threads.

A parallel kernel is a function of a range, and is launched with the length of the whole range::

    @parallel
    def _double(first, last, x, y):
        x, y = x[first:last], y[first:last]
        for i in range(x.size):
            y[i] = 2 * x[i]

    parallel_for(_double, cost, x.size, x, y)

Where several parallel loops follow each other, a compiled function of a team calls `fork_join` itself.

A worker that has not begun is not waited for. The threads that are awake take the chunks of a job one by one, and when
none is left, the job is withdrawn from the mailboxes of the workers that have slept all the time.
"""

import ctypes
import sys
from functools import partial

from ..jit.code_cache import add_symbol
from ..jit.dispatcher import compiled, named_after
from ..jit.lazy import inner, intrinsic, lazy_import
from .team import set_service

__all__ = ["chunk_bounds", "fork_join", "parallel"]

codegen, cgutils = lazy_import(f"{__package__.rpartition('.')[0]}.jit.codegen"), lazy_import("numba.core.cgutils")
ir, types = lazy_import("llvmlite.ir"), lazy_import("numba.types")

# --- atomic operations ------------------------------------------------------------------------------------------------
# All values are 64-bit integers at an address, read and written whole and in sequential order.


def _pointer(builder, address):
    return builder.inttoptr(address, ir.IntType(64).as_pointer())


@intrinsic
def _load(typing, address):
    def code(context, builder, sig, args):
        return builder.load_atomic(_pointer(builder, args[0]), "seq_cst", 8)

    return types.intp(types.intp), code


@intrinsic
def _store(typing, address, number):
    def code(context, builder, sig, args):
        builder.store_atomic(args[1], _pointer(builder, args[0]), "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), code


@intrinsic
def _fetch_add(typing, address, number):
    """Add to the value at an address; returns the value before that."""

    def code(context, builder, sig, args):
        return builder.atomic_rmw("add", _pointer(builder, args[0]), args[1], "seq_cst")

    return types.intp(types.intp, types.intp), code


@intrinsic
def _compare_exchange(typing, address, old, new):
    """Replace the old value at an address by the new one; returns whether the old one was there."""

    def code(context, builder, sig, args):
        pointer = _pointer(builder, args[0])
        return builder.extract_value(builder.cmpxchg(pointer, *args[1:], "seq_cst", "seq_cst"), 1)

    return types.boolean(types.intp, types.intp, types.intp), code


@intrinsic
def _yield_thread(typing):
    """Let other threads run first."""

    def code(context, builder, sig, args):
        kind = ir.FunctionType(ir.IntType(32), [])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, "ichikara_yield_thread"), [])

    return types.int32(), code


def _add_yield_symbol():
    """Give the system's function that yields the processor a name that compiled code can call."""
    windows = sys.platform == "win32"
    function = getattr(ctypes.CDLL("kernel32" if windows else None), "SwitchToThread" if windows else "sched_yield")
    add_symbol("ichikara_yield_thread", ctypes.cast(function, ctypes.c_void_p).value)


_add_yield_symbol()

# --- jobs -------------------------------------------------------------------------------------------------------------

# The offsets in bytes of the fields of a mailbox (`team._Worker`) and of a job.
_STATE, _AWAKE, _JOB = 0, 8, 16
_TASK, _ARGUMENTS, _COUNT, _STEP, _NEXT, _FAILED = 0, 8, 16, 24, 32, 40
_FREE, _POSTED, _RUNNING, _CALLED = range(4)  # the states of a mailbox

_SPINS = 64  # reads of a mailbox before the thread yields, about a microsecond
_PATIENCE = 1000  # yields before a worker goes to sleep, about a millisecond


def _task_signature():
    """The signature of a task, f(address of the arguments, first, last)."""
    return types.none(types.intp, types.intp, types.intp)


@intrinsic
def _on_stack(typing, numbers):
    """The address of a copy of some numbers on the stack of the calling function."""

    def code(context, builder, sig, args):
        return builder.ptrtoint(cgutils.alloca_once_value(builder, args[0]), ir.IntType(64))

    return types.intp(numbers), code


@intrinsic
def _call(typing, task, arguments, first, last):
    """Call the task at an address; returns whether it failed."""

    def code(context, builder, sig, args):
        status, _ = codegen.call_pointer(context, builder, _task_signature(), args[0], args[1:])
        return status.is_error

    return types.boolean(types.intp, types.intp, types.intp, types.intp), code


@inner
def _run_chunks(job):
    task, arguments, count, step = _load(job + _TASK), _load(job + _ARGUMENTS), _load(job + _COUNT), _load(job + _STEP)
    first = _fetch_add(job + _NEXT, step)
    while first < count:
        if _call(task, arguments, first, min(first + step, count)):
            _store(job + _FAILED, 1)
        first = _fetch_add(job + _NEXT, step)


@inner
def _run_job(team, count, chunks, task, arguments):
    """Run a job with a team. When this returns, no worker runs it any more."""
    chunks = max(chunks, len(team) + 1)
    job = _on_stack((task, arguments, count, (count + chunks - 1) // chunks, 0, 0))
    for mailbox in team:
        if mailbox:
            _store(mailbox + _JOB, job)
            _store(mailbox + _STATE, _POSTED)
    _run_chunks(job)
    for mailbox in team:
        spins = 0
        if mailbox and not _compare_exchange(mailbox + _STATE, _POSTED, _FREE):
            while _load(mailbox + _STATE) == _RUNNING:
                spins += 1
                if spins % _SPINS == 0:
                    _yield_thread()
    if _load(job + _FAILED):
        raise MemoryError("a kernel failed on one of its threads, most likely because memory ran out")


@compiled
def serve(mailbox):
    """Run the jobs that are posted to a mailbox, until its worker is called or nothing has come for a while."""
    spins = 0
    while spins < _SPINS * _PATIENCE:
        if _compare_exchange(mailbox + _STATE, _POSTED, _RUNNING):
            _run_chunks(_load(mailbox + _JOB))
            _store(mailbox + _STATE, _FREE)
            spins = 0
        elif _compare_exchange(mailbox + _STATE, _CALLED, _FREE):
            break
        spins += 1
        if spins % _SPINS == 0:
            _yield_thread()
    _store(mailbox + _AWAKE, 0)


set_service(serve)


@intrinsic
def fork_join(typing, team, count, chunks, function, arguments):
    """Call ``function(first, last, *arguments)`` for ranges that together are ``range(count)``; in compiled code only.

    Arguments: ``team``, the addresses of the workers' mailboxes, 0 for an absent worker; ``chunks``, how many ranges
    there are at the least: 0 for one per thread.
    """

    def code(context, builder, sig, args):
        # The arguments are put on the stack of the forking function, which waits until no thread needs them. A task is
        # their address and a function that loads them from there and calls the given one.
        stored = cgutils.alloca_once_value(builder, args[4])
        form = _task_signature()
        kind = context.call_conv.get_function_type(form.return_type, form.args)
        task = ir.Function(builder.module, kind, builder.module.get_unique_name("task"))
        task.linkage = "internal"
        inside = ir.IRBuilder(task.append_basic_block())
        address, first, last = context.call_conv.get_arguments(task)
        loaded = cgutils.unpack_tuple(inside, inside.load(inside.inttoptr(address, stored.type)))
        called = context.typing_context.resolve_function_type(function, (types.intp, types.intp, *arguments), {})
        context.get_function(function, called)(inside, [first, last, *loaded])
        context.call_conv.return_value(inside, context.get_constant_null(types.none))

        addresses = [builder.ptrtoint(pointer, ir.IntType(64)) for pointer in (task, stored)]
        run_form = types.void(team, types.intp, types.intp, types.intp, types.intp)
        run = codegen.link_inner(context, _run_job, run_form)
        return context.call_internal(builder, run, run_form, [*args[:3], *addresses])

    return types.void(team, types.intp, types.intp, function, arguments), code


@inner
def chunk_bounds(count, chunk, chunks):
    """Where one of the equal chunks of a range begins and ends; in compiled code."""
    return count * chunk // chunks, count * (chunk + 1) // chunks


def parallel(function=None, *, makes_arrays=False):
    """Decorator: compile a function of a range, ``f(first, last, *rest)``, to be launched by `team.parallel_for`.

    The compiled function is ``f(team, count, *rest)``, where ``count`` is the length of the whole range.

    Arguments: ``makes_arrays``, as of `dispatcher.compiled`.
    """
    if function is None:
        return partial(parallel, makes_arrays=makes_arrays)
    part = inner(function, makes_arrays=makes_arrays)

    def whole(team, count, *arguments):
        fork_join(team, count, 0, part, arguments)

    return compiled(named_after(whole, function))
