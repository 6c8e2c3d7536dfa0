"""Connect to a Dask cluster, of this machine's cores or of many machines."""

import asyncio
import contextlib
import logging
import os
import signal
from multiprocessing import resource_tracker
from unittest import mock

from vae_course.self_check import free_memory

PATIENCE = 10  # seconds in which a scheduler must answer


async def _greet(scheduler):
    from distributed.comm import connect
    from distributed.security import Security

    arguments = Security().get_connection_args("client")  # certificates, from Dask's settings
    comm = await connect(scheduler, timeout=PATIENCE, **arguments)
    await comm.close()


@contextlib.contextmanager
def connect(scheduler, workers, tasks, bytes_each):
    """Connect to a cluster, or start one here and stop it at the end.

    Args:
        scheduler: Address of a Dask scheduler, such as "tcp://host:8786"; None to start processes here.
        workers: How many processes to start here; None for one for each core, if the memory suffices.
        tasks: How many tasks there are; more processes than these are not started.
        bytes_each: How many bytes of memory a process needs.

    Yields:
        `distributed.Client`.

    Raises:
        ConnectionError: If the scheduler does not answer.
    """
    here = scheduler is None
    with _start(workers, tasks, bytes_each) if here else _connect_to(scheduler) as client:
        yield client


@contextlib.contextmanager
def _connect_to(scheduler):
    """Connect to a cluster by the user's own settings of Dask, which may name certificates."""
    from distributed import Client

    _silence()
    try:
        # Unlike `asyncio.run`, this leaves the thread's own event loop as it is.
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            runner.run(asyncio.wait_for(_greet(scheduler), PATIENCE + 1))
    except Exception as error:  # of any kind, because settings can be wrong in many ways
        reason = str(error) or "it is silent"
        # The first bytes of another program's answer, read as a length, ask for all memory and more.
        if isinstance(error, MemoryError):
            reason = "another program does"
        raise ConnectionError(
            f"No Dask scheduler answers at {scheduler} ({reason}): check its address and your settings of "
            "Dask, start one with `dask scheduler`, or leave out --scheduler to use this machine."
        ) from error
    with Client(scheduler, timeout=PATIENCE, set_as_default=False) as client:
        yield client


@contextlib.contextmanager
def _start(workers, tasks, bytes_each):
    """Start a cluster here by Dask's own settings: the user's are for clusters of many machines."""
    with mock.patch.dict(os.environ):  # also of the workers, each of which reads it
        for name in [name for name in os.environ if name.startswith("DASK_")]:
            del os.environ[name]
        import dask.config
        from dask.system import CPU_COUNT
        from distributed import Client, LocalCluster

        _silence()
        own = {}
        dask.config.refresh(own, paths=[], env={})
        # A worker gets one task at a time, so that one that kills it spoils no other.
        own["distributed.scheduler.worker-saturation"] = 1.0
        workers = workers or max(1, min(CPU_COUNT, free_memory() // bytes_each))
        with dask.config.set(own):  # a worker's settings are those of the process that starts it
            with _deaf_to_ctrl_c():
                cluster = LocalCluster(
                    n_workers=min(workers, tasks),
                    threads_per_worker=1,
                    processes=True,
                    memory_limit=None,
                    dashboard_address="127.0.0.1:0",
                    silence_logs=logging.CRITICAL,
                )
            with cluster, Client(cluster, set_as_default=False) as client:
                yield client


def _silence():
    # Each has a level of its own, which its import sets.
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


@contextlib.contextmanager
def _deaf_to_ctrl_c():
    """Start threads and, by them, workers that a terminal's Ctrl-C does not reach; we stop them."""
    if os.name == "nt":
        yield
        return
    resource_tracker.ensure_running()  # its start would undo the next line in a thread
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
