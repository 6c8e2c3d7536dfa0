"""Connect to a Dask cluster, of this machine's cores or of many machines."""

import asyncio
import contextlib
import logging
import os
import signal
from multiprocessing import resource_tracker

from vae_course.self_check import free_memory

PATIENCE = 10  # seconds in which a scheduler must answer


async def _greet(scheduler):
    from distributed.comm import connect

    comm = await connect(scheduler, timeout=PATIENCE)
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
    import dask.config
    from dask.system import CPU_COUNT
    from distributed import Client, LocalCluster

    for name in ("distributed", "distributed.client"):  # each has a level of its own
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if scheduler:
        try:
            # Unlike `asyncio.run`, this leaves the thread's own event loop as it is.
            with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
                runner.run(asyncio.wait_for(_greet(scheduler), PATIENCE + 1))
        except (OSError, ValueError, MemoryError) as error:
            reason = str(error) or "it is silent"
            # The first bytes of another program's answer, read as a length, ask for all memory and more.
            if isinstance(error, MemoryError):
                reason = "another program does"
            raise ConnectionError(
                f"No Dask scheduler answers at {scheduler} ({reason}): check its address, start one with "
                "`dask scheduler`, or leave out --scheduler to use this machine."
            ) from error
        with Client(scheduler, timeout=PATIENCE, set_as_default=False) as client:
            yield client
        return
    workers = workers or max(1, min(CPU_COUNT, free_memory() // bytes_each))
    # A worker gets one task at a time, so that one that kills it spoils no other.
    with dask.config.set({"distributed.scheduler.worker-saturation": 1.0}), _deaf_to_ctrl_c():
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
