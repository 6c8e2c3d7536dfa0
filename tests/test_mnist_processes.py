"""Downloads by several processes at once, kills in the middle, and disks that take nothing more."""

import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest
from mirrors import mirror, site, wait_until
from sandbox import FAKE, copy_package, only_file_in, output_of, put_npz, run_python, start_python

from vae_course import mnist_download, mnist_files
from vae_course.data import (
    CorruptedDataError,
    DataNotFoundError,
    fetch_mnist,
    load_digits,
)

pytestmark = pytest.mark.usefixtures("sandbox")


LOAD = "from vae_course.data import load_digits; d = load_digits(); print(d.name, *d.y_train)"
EXPECTED = " ".join(["MNIST", *map(str, FAKE["y_train"])])


@pytest.fixture
def clone(tmp_path):
    """A repository of its own, for tests that start other processes."""
    root = copy_package(tmp_path / "clone")
    (root / "pyproject.toml").touch()
    (root / "data").mkdir()
    return root


def test_two_notebooks_download_at_once(sandbox, clone):
    """Both end with good digits, and nothing but a whole file is ever seen under its name."""
    target, halves, done = clone / "data" / "mnist.npz", [], threading.Event()

    def watch():
        while not done.wait(0.01):
            if target.exists():
                try:
                    mnist_files.read_files([target])
                except CorruptedDataError as error:
                    halves.append(error)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with mirror(site(FAKE), rate=200_000) as server:
            sandbox.mirrors(server.npz)
            processes = [start_python(LOAD, clone) for _ in range(2)]
            outputs = [output_of(process).strip() for process in processes]
    finally:
        done.set()
        watcher.join()
    assert outputs == [EXPECTED] * 2
    assert (
        server.requests.count("mnist.npz") == 4
    )  # each one asked and then downloaded: a real race
    assert not halves
    assert only_file_in(clone / "data") == target


def test_a_kill_in_the_middle_leaves_no_half_file(sandbox, clone):
    """After a kill half-way there is no mnist.npz, and the next call downloads a good one."""
    with mirror(site(FAKE), rate=100_000) as server:
        sandbox.mirrors(server.npz)
        process = start_python(LOAD, clone)
        assert wait_until(lambda: server.sent > 100_000, seconds=30)
        process.kill()
        process.communicate()
        leftover = only_file_in(clone / "data")
        assert leftover.name.startswith(".mnist-")
    with mirror(site(FAKE)) as server:
        sandbox.mirrors(server.npz)
        assert run_python(LOAD, clone).strip() == EXPECTED
    assert {path.name for path in (clone / "data").iterdir()} == {leftover.name, "mnist.npz"}


def test_leftovers_of_kills_are_removed(sandbox):
    """A download removes what killed ones left, once it is older than a day, and nothing else."""
    old, young, yours = (sandbox.data / name for name in (".mnist-old", ".mnist-young", "yours"))
    for folder in (old, young, yours):
        folder.mkdir()
        (folder / "half").touch()
    two_days_ago = time.time() - 2 * 86_400
    for folder in (old, yours):
        os.utime(folder, (two_days_ago, two_days_ago))
    with mirror(site(FAKE)) as server:
        sandbox.mirrors(server.npz)
        fetch_mnist()
    assert not old.exists() and young.exists() and yours.exists()


def test_an_interrupt_stops_the_download(sandbox, clone):
    """Ctrl-C in the middle of a slow download is heard at once and leaves nothing behind."""
    if os.name == "nt":
        pytest.skip("run on Linux or macOS: Windows cannot send an interrupt to one process")
    with mirror(site(FAKE), rate=100_000) as server:
        sandbox.mirrors(server.npz)
        process = start_python(LOAD, clone)
        assert wait_until(lambda: server.sent > 100_000, seconds=30)
        process.send_signal(2)
        start = time.monotonic()
        _, err = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in err
    assert time.monotonic() - start < 2
    assert list((clone / "data").iterdir()) == []


@pytest.mark.parametrize("repository", ["file/data", "missing", None])
def test_unwritable_data_folder_falls_back_to_the_cache(sandbox, tmp_path, repository):
    """Where data/ is not there, or cannot be written to, the download goes to the user's cache."""
    (tmp_path / "file").touch()  # a folder inside a file: even root cannot write to that
    sandbox.move_to(repository and tmp_path / repository, sandbox.cache)
    with mirror(site(FAKE)) as server:
        sandbox.mirrors(server.npz)
        assert load_digits("mnist").source == str(sandbox.cache / "mnist.npz")


def test_a_quicker_process_on_windows_does_no_harm(sandbox, monkeypatch):
    """Where a file in use cannot be replaced, a good one is as good; without one, the cache is taken."""

    def refuse(source, target):
        if Path(target).parent == sandbox.data:
            raise PermissionError(13, "in use")
        shutil.move(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    with mirror(site(FAKE)) as server:
        sandbox.mirrors(server.npz)
        assert mnist_download.download(60)[0].parent == sandbox.cache
        put_npz(sandbox.data)
        assert mnist_download.download(60)[0].parent == sandbox.data


def test_nowhere_to_write_is_told(sandbox, tmp_path, capsys):
    """Where no folder can be written to, the error, or the one line of "auto", names them."""
    (tmp_path / "file").touch()
    folders = (tmp_path / "file" / "data", tmp_path / "file" / "cache")
    sandbox.move_to(*folders)
    with mirror(site(FAKE)) as server:
        sandbox.mirrors(server.npz)
        with pytest.raises(DataNotFoundError, match="cannot write to") as caught:
            load_digits("mnist")
        mnist_download._gave_up.clear()
        assert load_digits().name == "embedded digits"
    (line,) = capsys.readouterr().out.splitlines()
    assert all(str(folder) in text for folder in folders for text in (str(caught.value), line))


def test_a_full_quota_is_told(sandbox, clone):
    """A disk that takes only part of the file: the error names the folder, and nothing is left there."""
    resource = pytest.importorskip(
        "resource", reason="run on Linux or macOS: needs a file-size limit"
    )
    code = "from vae_course.data import fetch_mnist; fetch_mnist()"
    with mirror(site(FAKE)) as server:
        sandbox.mirrors(server.npz)
        process = start_python(
            code, clone, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (99_999,) * 2)
        )
        _, err = process.communicate(timeout=60)
    assert "DataNotFoundError" in err and "cannot write to" in err
    assert str(clone / "data") in err and "File too large" in err
    assert list((clone / "data").iterdir()) == []


def test_a_full_disk_falls_back_to_the_cache(sandbox, tmp_path):
    """A disk that fills up during the download leaves nothing there, and the cache is taken."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("run as root on Linux: needs to mount a tiny disk")
    try:
        sandbox.move_to(disk, sandbox.cache)
        with mirror(site(FAKE)) as server:
            sandbox.mirrors(server.npz)
            assert fetch_mnist() == sandbox.cache / "mnist.npz"
        assert list(disk.iterdir()) == []
        shutil.rmtree(sandbox.cache)
        sandbox.move_to(disk, disk)
        with mirror(site(FAKE)) as server:
            sandbox.mirrors(server.npz)
            with pytest.raises(DataNotFoundError, match="No space left") as caught:
                fetch_mnist()
        assert str(disk) in str(caught.value)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
