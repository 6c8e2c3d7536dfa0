"""Downloads from a real web server on this computer, good, bad, slow and silent ones."""

import os
import socket
import time

import pooch
import pytest
from mirrors import mirror, site, stand_in, wait_until
from sandbox import FAKE, assert_is_fake, only_file_in, put

from vae_course import data, mnist_download
from vae_course.data import (
    DataNotFoundError,
    fetch_mnist,
    load_digits,
)

pytestmark = pytest.mark.usefixtures("sandbox")


@pytest.mark.parametrize("form", ["npz", "base"])
def test_a_download_is_kept(sandbox, monkeypatch, capsys, caplog, form):
    """A download, in either form, ends as one mnist.npz; the next call asks no mirror.

    It shows a progress bar, and spares the reader pooch's advice to programmers.
    """
    monkeypatch.setattr(pooch.get_logger(), "handlers", [caplog.handler])
    with mirror(site(FAKE)) as server:
        sandbox.mirrors(getattr(server, form))
        assert_is_fake(load_digits())
        assert "%" in capsys.readouterr().err
        assert not caplog.records
        n_requests = len(server.requests)
        assert_is_fake(load_digits())
    assert len(server.requests) == n_requests
    assert only_file_in(sandbox.data).name == "mnist.npz"
    if os.name == "posix":
        assert (sandbox.data / "mnist.npz").stat().st_mode & 0o444 == 0o444


FAULTS = ["html", "garbage", "truncated", "stalled", 404, 503, "silent"]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("form", ["npz", "base"])
def test_a_bad_mirror_is_passed_over(sandbox, monkeypatch, fault, form):
    """Whatever a mirror does wrong, nothing of it is kept, and the next one is taken."""
    monkeypatch.setattr(mnist_download, "PROBE_SECONDS", 0.5)
    monkeypatch.setattr(mnist_download, "SILENCE_SECONDS", 0.5)
    with mirror(site(FAKE), fault) as bad, mirror(site(FAKE)) as good:
        sandbox.mirrors(getattr(bad, form), good.npz)
        assert_is_fake(load_digits())
    assert bad.requests
    assert only_file_in(sandbox.data).name == "mnist.npz"


@pytest.mark.parametrize("fault", ["html", "garbage", "truncated", 404])
def test_without_a_good_mirror_the_embedded_digits_step_in(sandbox, capsys, fault):
    """ "auto" with bad mirrors only: the embedded digits, one line with the cure, and no file left."""
    with mirror(site(FAKE), fault) as bad:
        sandbox.mirrors(bad.npz, bad.base)
        assert load_digits().name == "embedded digits"
    (line,) = capsys.readouterr().out.splitlines()
    assert all(word in line for word in ("embedded digits", "vae-course data", "VAE_COURSE_DATA"))
    assert list(sandbox.data.iterdir()) == []


def test_another_data_set_is_refused(sandbox):
    """A mirror that sends sound files of other digits is refused, by the name of the array."""
    with mirror(site(stand_in(seed=1))) as server:
        sandbox.mirrors(server.npz)
        with pytest.raises(DataNotFoundError, match="array x_train differs"):
            fetch_mnist()
    assert list(sandbox.data.iterdir()) == []


def test_a_file_without_end_is_cut_off(sandbox, monkeypatch):
    """A mirror cannot fill the disk: what is much larger than MNIST is cut off."""
    monkeypatch.setattr(mnist_download, "MOST_BYTES", 100_000)
    with mirror(site(FAKE)) as server:
        sandbox.mirrors(server.npz)
        with pytest.raises(DataNotFoundError, match="more than"):
            fetch_mnist()


def test_empty_list_of_mirrors_means_no_download(sandbox):
    """VAE_COURSE_MIRRORS set but empty switches downloads off, and the error says so."""
    sandbox.mirrors()
    with pytest.raises(DataNotFoundError, match="VAE_COURSE_MIRRORS"):
        load_digits("mnist")


def test_failure_is_remembered(sandbox):
    """ "auto" asks the mirrors once in a process; "mnist", or a change of mirrors, asks again."""
    with mirror(site(FAKE), fault=503) as bad, mirror(site(FAKE)) as good:
        sandbox.mirrors(bad.npz)
        for _ in range(3):
            assert load_digits().name == "embedded digits"
        assert len(bad.requests) == 1
        with pytest.raises(DataNotFoundError):
            load_digits("mnist")
        assert len(bad.requests) == 2
        sandbox.mirrors(good.npz)
        assert load_digits().name == "MNIST"


def test_fetching_replaces_a_corrupted_download(sandbox, capsys):
    """fetch_mnist, the cure that errors name, puts a good file where a broken one was in data/."""
    put(sandbox.data, {"mnist.npz": b"broken"})
    with mirror(site(FAKE)) as server:
        sandbox.mirrors(server.npz)
        assert fetch_mnist() == sandbox.data / "mnist.npz"
    assert_is_fake(load_digits())


# Networks that are slow, or worse


def seconds_until_embedded(capsys):
    start = time.monotonic()
    assert load_digits().name == "embedded digits"
    assert len(capsys.readouterr().out.splitlines()) == 1
    return time.monotonic() - start


def test_a_black_hole_costs_less_than_15_seconds(sandbox, capsys):
    """Mirrors that accept and never answer: the embedded digits come within 15 s."""
    with socket.create_server(("127.0.0.1", 0), backlog=8) as hole:
        base = f"http://127.0.0.1:{hole.getsockname()[1]}/"
        sandbox.mirrors(base + "mnist.npz", base, base + "other/")
        assert seconds_until_embedded(capsys) < 15


def test_a_hanging_name_server_costs_less_than_15_seconds(sandbox, capsys, monkeypatch):
    """Names that are neither resolved nor refused: the embedded digits come within 15 s."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: time.sleep(30))
    sandbox.mirrors("http://mnist.invalid/mnist.npz", "http://other.invalid/")
    assert seconds_until_embedded(capsys) < 15


def test_a_hanging_name_does_not_hold_up_the_next_mirror(sandbox, monkeypatch):
    """A mirror whose name is never resolved costs 4 s, and the next one is taken."""
    resolve = socket.getaddrinfo

    def hang(host, *args, **kwargs):
        return time.sleep(30) if host == "mnist.invalid" else resolve(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    with mirror(site(FAKE)) as server:
        sandbox.mirrors("http://mnist.invalid/mnist.npz", server.npz)
        start = time.monotonic()
        assert_is_fake(load_digits())
    assert time.monotonic() - start < 8


def is_idle(server):
    sent = server.sent
    time.sleep(0.3)
    return server.sent == sent


def test_a_trickle_costs_less_than_15_seconds(sandbox, capsys):
    """A mirror that goes on and on at 8 kB/s: the embedded digits come within 15 s."""
    with mirror(site(FAKE), rate=8000) as server:
        sandbox.mirrors(server.npz, server.base)
        assert seconds_until_embedded(capsys) < 15
        assert server.sent > mnist_download.PROBE_BYTES
        assert wait_until(lambda: is_idle(server)), "the abandoned download goes on"
    assert list(sandbox.data.iterdir()) == []


def test_a_slow_but_steady_line_is_enough(sandbox, monkeypatch):
    """At 1 Mbit/s MNIST takes several spells of patience, and arrives. (Scaled down here.)"""
    monkeypatch.setattr(data, "AUTO_PATIENCE", data.AUTO_PATIENCE / 25)
    monkeypatch.setattr(mnist_download, "LEAST_BYTES", mnist_download.LEAST_BYTES / 62.5)
    with mirror(site(FAKE), rate=50_000) as server:
        sandbox.mirrors(server.npz)
        start = time.monotonic()
        assert_is_fake(load_digits())
    assert time.monotonic() - start > 3 * data.AUTO_PATIENCE
