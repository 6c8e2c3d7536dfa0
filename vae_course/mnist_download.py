"""Download MNIST from the first mirror that sends it, without ever keeping a reader waiting in vain."""

import contextlib
import os
import shutil
import tempfile
import textwrap
import threading
import time
from concurrent.futures import Future, wait
from pathlib import Path

import numpy as np
import pooch
import requests
from tqdm import tqdm

from vae_course.mnist_files import IDX_NAMES, check_mnist, read_files, repository_data, user_cache

# A mirror is the address of an .npz file, or of a folder with the four IDX files, gzipped.
MIRRORS = (
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)
CURE = (
    "To get MNIST, run `vae-course data` where there is a network, put mnist.npz into the folder data/, "
    "or set VAE_COURSE_DATA to the folder that holds it."
)
PROBE_SECONDS = 4.0
PROBE_BYTES = 4096
SILENCE_SECONDS = 5.0
# What each spell of patience has to bring: 5 % of MNIST. At 1 Mbit/s, 11 s bring twice as much.
LEAST_BYTES = 575_000
# Whatever is much larger than MNIST's 11.5 MB is something else, and shall not fill the disk.
MOST_BYTES = 64_000_000
TEMPORARY = ".mnist-"
A_DAY = 86_400

# Lists of mirrors that failed in this process: asking each time would cost each time.
_gave_up = set()


class DataNotFoundError(RuntimeError):
    """MNIST is in none of its places, and could not be downloaded either."""


class DownloadStoppedError(Exception):
    """Nobody waits for this download any more."""


class Transfer:
    """What the thread that downloads and the one that waits for it share."""

    def __init__(self, mirrors):
        self.received = 0
        self.stopped = False
        self.failures = dict.fromkeys(mirrors, "not asked")  # what went wrong there


class Bar(tqdm):
    """A progress bar for pooch that counts into a `Transfer` and heeds its stop."""

    def __init__(self, transfer, name):
        self.transfer = transfer
        super().__init__(desc=name, unit="B", unit_scale=True, leave=False, ncols=79)

    def __bool__(self):
        # pooch asks whether it has a bar; tqdm would say no to that while the size is not known.
        return True

    def update(self, n=1):
        """Count n bytes; raise if the transfer was stopped, or the file cannot be MNIST's."""
        if self.transfer.stopped:
            raise DownloadStoppedError
        if self.n > MOST_BYTES:
            raise ValueError(f"sent more than {MOST_BYTES / 1e6:.0f} MB, so this is not MNIST")
        self.transfer.received += n
        return super().update(n)

    def reset(self, total=None):
        """Start anew, as pooch does at the end to count the file in full."""
        self.transfer.received -= min(self.n, self.total or 0)
        super().reset(total)


def download(patience, try_again=True):
    """Download MNIST into the repository's `data/` or, failing that, the user's cache.

    Args:
        patience: Seconds in which 5 % of the file have to arrive, again and again until it is complete.
        try_again: Whether to ask mirrors that failed earlier in this process.

    Returns:
        `(path, arrays)`: the new mnist.npz, and its arrays as `read_files` returns them.

    Raises:
        DataNotFoundError: If no mirror sends MNIST in time, or no folder can be written to. Its first
            line says why, the others name each place and each mirror, and the cure.
    """
    mirrors = tuple(os.environ.get("VAE_COURSE_MIRRORS", " ".join(MIRRORS)).split())
    if not mirrors:
        raise _not_found("downloads are switched off (VAE_COURSE_MIRRORS is empty)")
    if mirrors in _gave_up and not try_again:
        raise _not_found("its download failed or was stopped earlier in this session")
    _gave_up.add(mirrors)
    trouble = {}
    for folder in [repository_data(), user_cache()]:
        try:
            if folder:
                result = _download_into(folder, mirrors, patience)
                _gave_up.discard(mirrors)
                return result
        except OSError as error:  # not of a mirror: those are told apart in _try_mirrors
            trouble[folder] = error
    unwritable = "; ".join(f"{folder} ({_brief(error)})" for folder, error in trouble.items())
    raise _not_found(f"there is nowhere to put it: cannot write to {unwritable}")


def _download_into(folder, mirrors, patience):
    # The repository has its data/, or shall not get one; the user's cache is made at need.
    if folder == user_cache():
        folder.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(folder)
    transfer = Transfer(mirrors)
    # Hidden and of this process alone: no half file is ever seen under the final name.
    with tempfile.TemporaryDirectory(
        prefix=TEMPORARY, dir=folder, ignore_cleanup_errors=True
    ) as temporary:
        try:
            work = _in_background(_try_mirrors, mirrors, Path(temporary), transfer)
            files, arrays = _wait(work, transfer, patience)
            return _install(files, arrays, folder / "mnist.npz"), arrays
        finally:
            transfer.stopped = True


def _try_mirrors(mirrors, temporary, transfer):
    # Asked all at once, each in a thread of its own: a name server may hang longer than any time-out.
    deadline = time.monotonic() + PROBE_SECONDS
    probes = [_in_background(_probe, mirror) for mirror in mirrors]
    for number, (mirror, probe) in enumerate(zip(mirrors, probes, strict=True)):
        wait([probe], timeout=max(0.0, deadline - time.monotonic()))
        if not probe.done():
            transfer.failures[mirror] = f"no answer within {PROBE_SECONDS:g} s"
            continue
        try:
            probe.result()
            transfer.failures[mirror] = "too slow"
            files = [_retrieve(url, temporary / str(number), transfer) for url in _urls(mirror)]
            return files, read_files(files)
        except (requests.RequestException, ValueError) as error:
            transfer.failures[mirror] = _brief(error)
    raise _not_found("no mirror sent it", transfer.failures)


def _probe(mirror):
    timeout = (PROBE_SECONDS, PROBE_SECONDS)
    with requests.get(_urls(mirror)[0], stream=True, timeout=timeout) as response:
        response.raise_for_status()
        # The first bytes, too: some servers are quick with a header and never get to the file.
        next(response.iter_content(PROBE_BYTES), None)


def _retrieve(url, folder, transfer):
    if transfer.stopped:
        raise DownloadStoppedError
    name = url.rsplit("/", 1)[-1]
    with Bar(transfer, name) as bar:
        downloader = pooch.HTTPDownloader(
            progressbar=bar, chunk_size=8192, timeout=(SILENCE_SECONDS, SILENCE_SECONDS)
        )
        # By their arrays, not by this file's digest, so that a mirror may pack them in its own way.
        pooch.get_logger().setLevel("WARNING")
        return Path(pooch.retrieve(url, None, fname=name, path=folder, downloader=downloader))


def _wait(work, transfer, patience):
    since, received = time.monotonic(), 0
    # In short spells, because on Windows an interrupt is not heard during a long one.
    while not wait([work], timeout=0.2).done:
        if time.monotonic() - since > patience:
            gained = transfer.received - received
            if gained < LEAST_BYTES:
                reason = f"its mirrors are too slow ({gained // 1000} kB in {patience:g} s)"
                raise _not_found(reason, transfer.failures)
            since, received = time.monotonic(), transfer.received
    return work.result()


def _install(files, arrays, target):
    new = files[0]
    if len(files) > 1:
        new = files[0].with_name("mnist.npz")
        np.savez_compressed(new, **arrays)
    new.chmod(0o644)  # temporary files are for their owner only; data/ may be shared by a class
    try:
        os.replace(new, target)
    except PermissionError:
        # On Windows, while another process that was quicker reads its own good copy.
        if not target.is_file():
            raise
        read_files([target])
    return target


def _urls(mirror):
    if mirror.endswith(".npz"):
        return [mirror]
    return [f"{mirror.rstrip('/')}/{name}.gz" for name in IDX_NAMES.values()]


def _remove_leftovers(folder):
    # Of downloads that were killed; younger ones may still be under way.
    for leftover in folder.glob(f"{TEMPORARY}*"):
        with contextlib.suppress(OSError):
            if time.time() - leftover.stat().st_mtime > A_DAY:
                shutil.rmtree(leftover)


def _in_background(function, *args):
    # Daemon threads, unlike an executor's, do not keep Python from exiting while they hang.
    future = Future()

    def run():
        try:
            future.set_result(function(*args))
        except DownloadStoppedError:
            pass  # nobody waits; and keeping the error would keep its connection open
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def _not_found(reason, failures=None):
    lines = [f"MNIST was not found, and {reason}.", "Looked at:"]
    lines += [f"  {status.place}: {status.message}" for status in check_mnist()]
    if failures:
        lines += ["Tried:"]
        # A copy, since the thread that downloads may still write into it.
        lines += [f"  {mirror}: {why}" for mirror, why in dict(failures).items()]
    return DataNotFoundError("\n".join([*lines, CURE]))


def _brief(error):
    # requests hides the reason (no such host, connection refused) behind a line about retries.
    error = getattr(error.args[0], "reason", error) if error.args else error
    return textwrap.shorten(str(error) or type(error).__name__, 200, placeholder=" …")
