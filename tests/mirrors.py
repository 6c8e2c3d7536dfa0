"""A stand-in for MNIST, small and random, and a web server on this computer that sends it, well or badly."""

import gzip
import hashlib
import io
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

IDX_NAMES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


def stand_in(seed=0, n_train=300, n_test=50):
    """Arrays shaped like MNIST's, but few and random: incompressible, about 270 kB."""
    rng = np.random.default_rng(seed)
    return {
        "x_train": rng.integers(0, 256, (n_train, 28, 28), dtype=np.uint8),
        "y_train": rng.integers(0, 10, n_train, dtype=np.uint8),
        "x_test": rng.integers(0, 256, (n_test, 28, 28), dtype=np.uint8),
        "y_test": rng.integers(0, 10, n_test, dtype=np.uint8),
    }


def digests_of(arrays):
    return {name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in arrays.items()}


def npz_bytes(arrays):
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def idx_bytes(array):
    # Written out from the format's description: 0, 0, 8 for bytes, number of axes, big-endian lengths.
    head = bytes([0, 0, 8, array.ndim])
    return head + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


def idx_files(arrays, zipped=False, dotted=False):
    files = {}
    for name, stem in IDX_NAMES.items():
        stem = stem.replace("-idx", ".idx") if dotted else stem
        content = idx_bytes(arrays[name])
        files[f"{stem}.gz" if zipped else stem] = gzip.compress(content) if zipped else content
    return files


def site(arrays):
    """All files a mirror may have: mnist.npz and the four .gz files."""
    return {"mnist.npz": npz_bytes(arrays), **idx_files(arrays, zipped=True)}


class Mirror:
    """What a test sees of the server: its address, its npz, what was asked of it, and who left early."""

    def __init__(self, address):
        self.base = f"http://127.0.0.1:{address[1]}/"
        self.npz = self.base + "mnist.npz"
        self.requests = []
        self.passwords = []
        self.sent = 0
        self.left = False
        self.rations = threading.Semaphore(0)


@contextmanager
def mirror(files, fault=None, together=1, ration=1_000_000):
    """Serve files (name -> bytes) on the loopback, perhaps with a fault.

    Args:
        files: Dict from name to bytes.
        fault: A status, "html", "garbage", "truncated", "silent", "stalled" (after half a file), or
            "rationed": every release of `rations` lets `ration` bytes through.
        together: Number of requests that have to be there before any of them is answered.
        ration: Number of bytes.
    """
    closing = threading.Event()
    all_there = threading.Barrier(together)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.rsplit("/", 1)[-1]
            served.requests.append(name)
            served.passwords.append(self.headers["Authorization"])
            all_there.wait(60)
            if fault in (404, 503) or name not in files:
                self.send_error(fault if fault in (404, 503) else 404)
                return
            content = files[name]
            if fault == "silent":
                closing.wait(600)
                return
            if fault == "html":
                content = b"<!DOCTYPE html><html>Please accept our terms of use</html>" * 500
            if fault == "garbage":
                content = bytes(reversed(content))
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if fault in ("truncated", "stalled"):
                content = content[: len(content) // 2]
            self.send(content)
            if fault == "stalled":
                closing.wait(600)

        def send(self, content):
            for start in range(0, len(content), ration):
                if fault == "rationed":
                    served.rations.acquire()
                chunk = content[start : start + ration]
                try:
                    self.wfile.write(chunk)
                    self.wfile.flush()
                except OSError:
                    served.left = True
                    return
                served.sent += len(chunk)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    served = Mirror(server.server_address)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield served
    finally:
        closing.set()
        served.rations.release(10_000)
        server.shutdown()
        server.server_close()


def wait_until(condition, seconds=60):
    """Whether a condition comes true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
