"""Threads run, one after the other, and what they hand over arrives."""

import asyncio
import json
import logging
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from multiprocessing.pool import ThreadPool

seen = {}


def case(function):
    try:
        seen[function.__name__] = function()
    except Exception as error:
        seen[function.__name__] = f"{type(error).__name__}: {error}"[:60]


@case
def joined():
    done = []
    threads = [threading.Thread(target=done.append, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [done, [thread.is_alive() for thread in threads]]


@case
def names():
    found = []
    thread = threading.Thread(target=lambda: found.append(threading.current_thread().name), name="worker")
    thread.start()
    thread.join()
    return [*found, threading.current_thread().name, thread.ident != threading.get_ident(), threading.active_count()]


@case
def raised():
    caught = []
    threading.excepthook = lambda args: caught.append([args.exc_type.__name__, args.thread.name])
    thread = threading.Thread(target=lambda: 1 / 0, name="broken")
    thread.start()
    thread.join()
    threading.excepthook = threading.__excepthook__
    return caught


@case
def consumers_first():
    work, done = queue.Queue(), []

    def consume():
        while (item := work.get()) is not None:
            done.append(item * item)
            work.task_done()
        work.task_done()

    threads = [threading.Thread(target=consume, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    for item in [1, 2, 3, None, None]:
        work.put(item)
    work.join()
    return sorted(done)


@case
def event():
    ready, answer = threading.Event(), []

    def serve():
        answer.append(42)
        ready.set()

    threading.Thread(target=serve, daemon=True).start()
    return [ready.wait(5), answer]


@case
def barrier():
    meeting, met = threading.Barrier(3), []
    threads = [threading.Thread(target=lambda: met.append(meeting.wait())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(met)


@case
def spinner():
    """A thread that waits for the end of the work."""
    stop, turns = threading.Event(), []
    thread = threading.Thread(target=lambda: turns.append(stop.wait(0.1)), daemon=True)
    thread.start()
    stop.set()
    thread.join()
    return turns


@case
def timer():
    fired = []
    threading.Timer(0.5, fired.append, ["late"]).start()
    cancelled = threading.Timer(0.5, fired.append, ["never"])
    cancelled.start()
    cancelled.cancel()
    time.sleep(1)
    return fired


@case
def local():
    own = threading.local()
    own.value = "main"
    found = []
    thread = threading.Thread(target=lambda: found.append(getattr(own, "value", None)))
    thread.start()
    thread.join()
    return [found, own.value]


@case
def pool():
    with ThreadPoolExecutor(max_workers=4, thread_name_prefix="pool") as executor:
        mapped = list(executor.map(lambda x: x * x, range(4)))
        futures = {executor.submit(divmod, 7, d): d for d in (2, 0)}
        results = {}
        for future in as_completed(futures):
            try:
                results[futures[future]] = future.result()
            except ZeroDivisionError:
                results[futures[future]] = "error"
        done, pending = wait(futures)
        name = executor.submit(lambda: threading.current_thread().name).result()
    return [mapped, sorted(results.items(), key=str), len(done), len(pending), name.rpartition("_")[0]]


@case
def closed_pool():
    executor = ThreadPoolExecutor()
    executor.shutdown()
    executor.submit(print)


@case
def initialized_pool():
    found = []
    with ThreadPoolExecutor(1, initializer=found.append, initargs=("begin",)) as executor:
        executor.submit(found.append, "task").result()
    return found


@case
def thread_pool():
    with ThreadPool(3) as workers:
        return [
            workers.map(abs, [-1, 2]),
            workers.starmap(pow, [(2, 3)]),
            list(workers.imap(str, [1])),
            workers.apply(len, ("ab",)),
            workers.apply_async(int, ("x",)).successful(),
        ]


@case
def to_thread():
    async def main():
        return await asyncio.gather(asyncio.to_thread(sum, [1, 2]), asyncio.sleep(0.1, "slept"))

    return asyncio.run(main())


@case
def lock_again():
    lock = threading.Lock()
    lock.acquire()
    return [lock.acquire(False), lock.acquire(timeout=0.1), lock.acquire()]


@case
def lock_within():
    lock = threading.Lock()
    with lock:
        with lock:
            return "entered"


@case
def lock_after():
    lock = threading.Lock()
    for _ in range(3):
        try:
            with lock:
                lock.acquire()
        except RuntimeError:
            continue
    return lock.locked()


@case
def empty_queue():
    queue.Queue().get()


@case
def empty_simple_queue():
    queue.SimpleQueue().get()


@case
def empty_queue_with_limit():
    began = time.monotonic()
    try:
        queue.Queue().get(timeout=2)
    except queue.Empty:
        return time.monotonic() - began >= 2


@case
def event_never_set():
    threading.Event().wait()


@case
def logged():
    record = logging.makeLogRecord({})
    return record.threadName


left = threading.Thread(target=lambda: print(json.dumps(seen)))
left.start()
