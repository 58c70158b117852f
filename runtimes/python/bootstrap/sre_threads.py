"""Threads for a world that has one: each runs to its end, one after the other, on the stack of the thread that
waits for it.

A thread that is started waits in a list. It runs when another thread needs it: in `join`, in `is_alive`, when a
lock, event, queue or barrier would block, when a thread sleeps (unless it is a daemon), and at the end of the
script. The tasks of a thread pool run at once, in `submit`. No thread is interrupted, so one cannot go on
until what it waits for has ended; where no thread could ever go on, the wait is a RuntimeError instead of an
endless one.

Plain locks that wait for themselves are `finish.py`'s business.
"""

import _thread
import _threading_local
import asyncio.events
import concurrent.futures.thread
import multiprocessing.pool
import queue
import threading
import time

import sre_refusals

DEADLOCK = (
    "deadlock: this thread waits for something that no other thread can do "
    "(in the WebAssembly sandbox threads run one after the other)"
)

# What was started and has not run yet, in order.
waiting = []

# Identifiers of the threads whose frames are on the stack, the running one last.
stack = []

NEW, PENDING, RUNNING, DONE = range(4)

real_sleep = time.sleep
main_ident = _thread.get_ident()
idents = 0


def get_ident():
    """Return a nonzero integer that identifies the running thread."""
    return stack[-1] if stack else main_ident


class Handle:
    """What `threading.Thread` holds instead of the system's thread."""

    def __init__(self):
        self.state = NEW
        self.ident = None
        self.daemon = False
        self.function = None

    def is_done(self):
        return self.state == DONE

    def _set_done(self):
        self.state = DONE

    def join(self, timeout=None):
        if self.state == NEW:
            raise RuntimeError("thread not started")
        if self.state == PENDING:
            run(self)
        elif self.state == RUNNING:
            # Its frames are below the caller's.
            block(lambda: False, timeout)


def start_joinable_thread(function, handle=None, daemon=True):
    """Puts a thread into the list of those that wait to run."""
    global idents
    handle = handle or Handle()
    if handle.state != NEW:
        raise RuntimeError("thread already started")
    idents += 1
    handle.function, handle.daemon = function, daemon
    handle.ident, handle.state = main_ident + 4096 * idents, PENDING
    waiting.append(handle)
    thread = getattr(function, "__self__", None)
    if isinstance(thread, threading.Thread):
        thread._ident = handle.ident
        thread._started.set()
    return handle


def start_new_thread(function, args, kwargs={}, /):
    """Start a new thread and return its identifier."""

    def bootstrap():
        try:
            function(*args, **kwargs)
        except SystemExit:
            pass
        except BaseException as error:
            hook = threading.excepthook
            hook(threading.ExceptHookArgs([type(error), error, error.__traceback__, None]))

    return start_joinable_thread(bootstrap).ident


def run(handle):
    """Runs a waiting thread to its end."""
    waiting.remove(handle)
    handle.state = RUNNING
    inside(handle.ident, handle.function)
    handle.state = DONE


def inside(ident, function, *args, **kwargs):
    """Calls a function as the thread of this identifier, which has no event loop yet."""
    loop = asyncio.events._get_running_loop()
    asyncio.events._set_running_loop(None)
    stack.append(ident)
    try:
        return function(*args, **kwargs)
    finally:
        stack.pop()
        asyncio.events._set_running_loop(loop)


def run_one(daemons=True):
    """Runs the next waiting thread; says whether there was one."""
    for handle in waiting:
        if daemons or not handle.daemon:
            run(handle)
            return True
    return False


def run_all():
    """Runs what a process waits for before it ends: all threads but the daemons."""
    while run_one(daemons=False):
        pass


def block(try_it, timeout):
    """Waits until `try_it` succeeds, at most `timeout` seconds; says whether it did."""
    while not try_it():
        if not run_one():
            if timeout is None:
                raise RuntimeError(DEADLOCK)
            if timeout > 0:
                real_sleep(timeout)
            return try_it()
    return True


def sleep(seconds, /):
    """Delay execution for a given number of seconds."""
    if waiting:
        run_all()
    real_sleep(seconds)


def wait(self, timeout=None):
    """`threading.Condition.wait`, but for how it blocks."""
    if not self._is_owned():
        raise RuntimeError("cannot wait on un-acquired lock")
    waiter = _thread.allocate_lock()
    waiter.acquire()
    self._waiters.append(waiter)
    saved_state = self._release_save()
    gotit = False
    try:
        gotit = block(lambda: waiter.acquire(False), timeout)
        return gotit
    finally:
        self._acquire_restore(saved_state)
        if not gotit:
            try:
                self._waiters.remove(waiter)
            except ValueError:
                pass


def is_alive(self):
    """`threading.Thread.is_alive`: who asks may be waiting for the answer to change."""
    assert self._initialized, "Thread.__init__() not called"
    handle = self._os_thread_handle
    if isinstance(handle, Handle) and handle.state == PENDING:
        run(handle)
    return self._started.is_set() and not handle.is_done()


def worker(pool, name, initialize):
    """The one thread of a pool: returns a function that calls another one in it."""
    global idents
    if hasattr(pool, "_sre_call"):
        return pool._sre_call
    thread = threading.Thread(name=name, daemon=True)
    idents += 1
    ident = thread._ident = main_ident + 4096 * idents
    thread._started.set()
    thread._os_thread_handle.state = RUNNING

    def call(function, *args, **kwargs):
        is_outermost = ident not in threading._active
        threading._active[ident] = thread
        try:
            return inside(ident, function, *args, **kwargs)
        finally:
            if is_outermost:
                del threading._active[ident]

    if initialize is not None:
        call(initialize)
    pool._sre_call = call
    return call


class Submitted:
    """What `ThreadPoolExecutor` does differently: its tasks run when they are submitted."""

    def submit(self, fn, /, *args, **kwargs):
        if self._broken:
            raise self.BROKEN(self._broken)
        if self._shutdown:
            raise RuntimeError("cannot schedule new futures after shutdown")
        future = concurrent.futures.Future()
        task = self._resolve_work_item_task(fn, args, kwargs)
        if not hasattr(self, "_context"):
            self._context = self._create_worker_context()
        try:
            call = worker(self, f"{self._thread_name_prefix}_0", self._context.initialize)
        except BaseException:
            concurrent.futures._base.LOGGER.critical("Exception in initializer:", exc_info=True)
            self._broken = "A thread initializer failed, the thread pool is not usable anymore"
            future.set_exception(self.BROKEN(self._broken))
            return future
        call(concurrent.futures.thread._WorkItem(future, task).run, self._context)
        return future


class Result:
    """`multiprocessing.pool.AsyncResult` of work that is done."""

    def __init__(self, function, callback=None, error_callback=None):
        try:
            self._value, self._error = function(), None
        except Exception as error:
            self._value, self._error = None, error
        called = callback if self._error is None else error_callback
        if called is not None:
            called(self._value if self._error is None else self._error)

    def get(self, timeout=None):
        if self._error is not None:
            raise self._error
        return self._value

    def wait(self, timeout=None):
        pass

    def ready(self):
        return True

    def successful(self):
        return self._error is None


class ThreadPool(multiprocessing.pool.Pool):
    """`multiprocessing.pool.ThreadPool`, whose tasks run when they are given."""

    def __init__(self, processes=None, initializer=None, initargs=()):
        if processes is not None and processes < 1:
            raise ValueError("Number of processes must be at least 1")
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        self._processes = processes or 1
        self._state = multiprocessing.pool.RUN
        self._call = worker(self, None, initializer and (lambda: initializer(*initargs)))

    def __del__(self):
        pass

    def __repr__(self):
        return f"<{type(self).__module__}.ThreadPool state={self._state} pool_size={self._processes}>"

    def apply_async(self, func, args=(), kwds={}, callback=None, error_callback=None):
        self._check_running()
        return Result(lambda: self._call(func, *args, **kwds), callback, error_callback)

    def apply(self, func, args=(), kwds={}):
        return self.apply_async(func, args, kwds).get()

    def map_async(self, func, iterable, chunksize=None, callback=None, error_callback=None):
        self._check_running()
        return Result(lambda: [self._call(func, item) for item in iterable], callback, error_callback)

    def map(self, func, iterable, chunksize=None):
        return self.map_async(func, iterable).get()

    def starmap_async(self, func, iterable, chunksize=None, callback=None, error_callback=None):
        self._check_running()
        return Result(lambda: [self._call(func, *args) for args in iterable], callback, error_callback)

    def starmap(self, func, iterable, chunksize=None):
        return self.starmap_async(func, iterable).get()

    def imap(self, func, iterable, chunksize=1):
        self._check_running()
        results = [self.apply_async(func, (item,)) for item in iterable]
        return (result.get() for result in results)

    imap_unordered = imap

    def close(self):
        if self._state == multiprocessing.pool.RUN:
            self._state = multiprocessing.pool.CLOSE

    def terminate(self):
        self._state = multiprocessing.pool.TERMINATE

    def join(self):
        if self._state == multiprocessing.pool.RUN:
            raise ValueError("Pool is still running")


def install():
    """Replaces what starts threads and what waits for them, once, before the snapshot."""
    _thread.get_ident = threading.get_ident = get_ident
    _thread.start_new_thread = _thread.start_new = start_new_thread
    _thread.start_joinable_thread = threading._start_joinable_thread = start_joinable_thread
    _thread._ThreadHandle = threading._ThreadHandle = Handle
    time.sleep = sleep
    threading.Condition.wait = wait
    threading.Thread.is_alive = is_alive
    threading.local = _threading_local.local
    # The one written in C blocks by itself.
    queue.SimpleQueue = queue._PySimpleQueue
    concurrent.futures.thread.ThreadPoolExecutor.submit = Submitted.submit
    multiprocessing.process.BaseProcess.start = sre_refusals.refusal("start", "there are no processes")
    multiprocessing.pool.ThreadPool = ThreadPool
    for kind, name in (ThreadPool, "multiprocessing.pool"), (Result, "multiprocessing.pool"):
        kind.__module__ = name
    Result.__name__ = Result.__qualname__ = "AsyncResult"
    multiprocessing.pool.AsyncResult = multiprocessing.pool.ApplyResult = Result
