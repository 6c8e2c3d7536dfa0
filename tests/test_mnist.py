"""MNIST's files: where they are looked for, which are taken, and downloads that go well or badly."""

import gzip
import os
import shutil
import socket
import subprocess
import threading

import numpy as np
import pytest
from mirrors import IDX_NAMES, idx_files, mirror, npz_bytes, site, stand_in, wait_until
from sandbox import (
    FAKE,
    assert_is_fake,
    copy_package,
    damaged,
    only_file_in,
    output_of,
    put,
    put_npz,
    run_python,
    start_python,
)

from vae_course import mnist
from vae_course.data import load_digits
from vae_course.mnist import CorruptedDataError, DataNotFoundError, check_mnist, fetch_mnist

pytestmark = pytest.mark.usefixtures("sandbox")
REAL_CACHE = mnist.user_cache
posix_only = pytest.mark.skipif(os.name == "nt", reason="run on Linux or macOS")


def only_line(capsys):
    (line,) = capsys.readouterr().out.splitlines()
    return line


# Places


@pytest.mark.parametrize("dataset", ["auto", "mnist"])
def test_places_are_taken_in_order(sandbox, dataset):
    """First VAE_COURSE_DATA, then data/, the user's cache, Keras' cache, and a download last."""
    order = [sandbox.yours, sandbox.data, sandbox.cache, sandbox.keras]
    for folder in order:
        put_npz(folder)
    sandbox.use(sandbox.yours)
    with mirror(site(FAKE)) as server:
        sandbox.mirrors(server.npz)
        for folder in order:
            assert load_digits(dataset).source == str(folder / "mnist.npz")
            assert server.requests == []
            (folder / "mnist.npz").unlink()
        assert load_digits(dataset).source == str(sandbox.data / "mnist.npz")
        assert server.requests


def test_a_file_can_be_named(sandbox):
    """VAE_COURSE_DATA may name the .npz file itself, by any name."""
    path = put_npz(sandbox.yours).rename(sandbox.yours / "digits-of-our-class.npz")
    sandbox.use(path)
    assert load_digits().source == str(path)


@pytest.mark.parametrize("written", ["{}", "~/our data", "our data", '"{}" ', "../our data"])
def test_your_folder_may_be_written_in_many_ways(sandbox, monkeypatch, tmp_path, written):
    """With ~, spaces, stray quotes, and relative to here or, in notebooks/, to the repository."""
    path = put_npz(tmp_path / "our data")
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    sandbox.use(written.format(path.parent))
    source = load_digits().source
    assert os.path.isabs(source) and os.path.samefile(source, path)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("dotted", [False, True])
@pytest.mark.parametrize("case", [str, str.upper])
def test_idx_files_are_read(sandbox, zipped, dotted, case):
    """The four original files are as good as one .npz, however they are packed and spelled."""
    files = idx_files(FAKE, zipped, dotted)
    put(sandbox.yours, {case(name): content for name, content in files.items()})
    sandbox.use(sandbox.yours)
    digits = load_digits()
    assert_is_fake(digits)
    assert digits.source == str(sandbox.yours)


def test_repository_and_cache_are_found(tmp_path, monkeypatch):
    """A clone has its own data/; an installed package has only the user's cache."""
    monkeypatch.undo()
    clone = copy_package(tmp_path / "clone")
    (clone / "pyproject.toml").touch()
    installed = copy_package(tmp_path / "site-packages")
    code = "print(mnist.repository_data()); print(mnist.user_cache())"
    assert run_python(code, clone).splitlines()[0] == str(clone / "data")
    none, cache = run_python(code, installed).splitlines()
    assert none == "None" and "vae-course" in cache


@posix_only
def test_without_a_home_there_is_no_cache(sandbox, monkeypatch):
    """Neither HOME nor an entry for the user: no folder named ~ is made, and the error says so."""
    import pwd

    def nobody(uid):
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    for name in ("HOME", "XDG_CACHE_HOME", "KERAS_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(sandbox.root)
    assert REAL_CACHE() is None
    sandbox.move_to(None, None)
    with mirror(site(FAKE)) as server:
        sandbox.mirrors(server.npz)
        with pytest.raises(DataNotFoundError, match="set HOME"):
            fetch_mnist()
    assert not (sandbox.root / "~").exists()


# Files that are bad


@pytest.mark.parametrize("array_name", list(FAKE))
@pytest.mark.parametrize("place", ["yours", "data", "cache"])
def test_a_wrong_array_is_named(sandbox, place, array_name):
    """A file with one wrong byte raises, even under "auto": file, array and cure; the file stays."""
    path = put_npz(getattr(sandbox, place), damaged(array_name))
    if place == "yours":
        sandbox.use(sandbox.yours)
    with pytest.raises(CorruptedDataError) as caught:
        load_digits()
    assert str(path) in str(caught.value)
    assert f"array {array_name} differs" in str(caught.value)
    assert ("VAE_COURSE_DATA" if place == "yours" else "vae-course data") in str(caught.value)
    assert path.is_file()


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "not a zip file"),
        (b"<html>Log in</html>", "starts with b'<html>Log"),
        (npz_bytes(FAKE)[:90_000], "not a zip file"),
        (npz_bytes({"x": FAKE["x_train"]}), "no item named 'x_train.npy'"),
        (npz_bytes(FAKE | {"x_train": np.array([{}], dtype=object)}), "allow_pickle=False"),
        # A small file that unpacks into 100 MB, of which only a part is read.
        (npz_bytes(FAKE | {"x_train": np.zeros(10**8, np.uint8)}), "EOF: reading array data"),
    ],
)
def test_an_unreadable_file_is_named(sandbox, content, words):
    """Whatever is wrong with it, the file is named, nothing in it is run, and it cannot fill the memory."""
    path = sandbox.data / "mnist.npz"
    put(sandbox.data, {"mnist.npz": content})
    with pytest.raises(CorruptedDataError, match="cannot be read as MNIST") as caught:
        load_digits()
    assert str(path) in str(caught.value) and words in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\x1f\x8b broken", b"\0\0\x08\x03\0\0", b"\0\0\x0d\x01"),
        b"\0\0\x08\x03" + b"\xff" * 12,  # promises 8e28 bytes
        b"\0\0\x08\xff" + b"\xff" * 2000,  # 255 axes
        gzip.compress(b"\0\0\x08\x01" + bytes(100_000_000)),
    ],
)
def test_an_unreadable_idx_file_is_named(sandbox, content):
    """A broken file among the four is named, whatever is broken about it."""
    put(sandbox.data, idx_files(FAKE) | {"t10k-images-idx3-ubyte": content})
    with pytest.raises(CorruptedDataError, match="t10k-images-idx3-ubyte (cannot be read|is not)"):
        load_digits()


def test_a_file_that_is_far_too_large_is_not_read(sandbox):
    """A file of 1 TB (empty, on this disk) is refused by its size."""
    path = sandbox.data / "mnist.npz"
    with open(path, "wb") as file:
        try:
            file.truncate(10**12)
        except OSError:
            pytest.skip("this disk has no sparse files")
    with pytest.raises(CorruptedDataError, match="far too large"):
        load_digits()


def test_a_file_that_may_not_be_read_is_named(sandbox, monkeypatch):
    """The reason is given, not only that it is bad."""
    path = put_npz(sandbox.data)

    def forbidden(file):
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr(os.path, "getsize", forbidden)  # root may read everything
    with pytest.raises(CorruptedDataError, match="Permission denied") as caught:
        load_digits()
    assert str(path) in str(caught.value)


def test_broken_keras_cache_is_skipped(sandbox, capsys):
    """A broken file of Keras is passed over in one line, and the search goes on."""
    put(sandbox.keras, {"mnist.npz": b"broken"})
    assert load_digits().name == "embedded digits"
    skipped, fallback = capsys.readouterr().out.splitlines()
    assert str(sandbox.keras / "mnist.npz") in skipped
    assert "embedded digits" in fallback


def nothing(folder):
    pass


def folder_for_file(folder):
    (folder / "mnist.npz").mkdir(parents=True)


def broken_link(folder):
    folder.symlink_to(folder.parent / "nowhere")


def broken_link_inside(folder):
    folder.mkdir()
    (folder / "mnist.npz").symlink_to("nowhere")


def link_to_itself(folder):
    folder.symlink_to(folder)


@pytest.mark.parametrize(
    "make, words",
    [
        (nothing, "cannot be opened"),
        (lambda folder: folder.mkdir(), "neither a file mnist.npz nor the four IDX files"),
        (folder_for_file, "neither a file mnist.npz"),
        pytest.param(broken_link, "cannot be opened", marks=posix_only),
        pytest.param(broken_link_inside, "neither a file mnist.npz", marks=posix_only),
        pytest.param(link_to_itself, "symbolic links", marks=posix_only),
    ],
)
def test_missing_data_folder_is_told(sandbox, capsys, make, words):
    """VAE_COURSE_DATA without MNIST: one line with folder and what is amiss, and the search goes on."""
    make(sandbox.yours)
    sandbox.use(sandbox.yours)
    put_npz(sandbox.data)
    assert_is_fake(load_digits())
    line = only_line(capsys)
    assert all(word in line for word in ("VAE_COURSE_DATA", str(sandbox.yours), words))


def test_every_place_can_be_checked(sandbox):
    """check_mnist reports good, broken and missing files of every place, and raises for none."""
    sandbox.use(sandbox.yours)
    good = put_npz(sandbox.yours)
    bad = put_npz(sandbox.data, damaged("y_test"))
    put(sandbox.cache, idx_files(FAKE, zipped=True))
    yours, repository, cache, keras = check_mnist()
    assert (yours.path, yours.ok) == (good, True)
    assert (repository.path, repository.ok) == (bad, False) and "y_test" in repository.message
    assert (cache.path, cache.ok) == (sandbox.cache, True)
    assert (keras.path, keras.ok) == (None, False) and "cannot be opened" in keras.message


@pytest.mark.parametrize("source", ["mirror", "keras"])
@pytest.mark.parametrize(
    "files", [{"mnist.npz": b"broken"}, dict.fromkeys(IDX_NAMES.values(), b"")]
)
def test_fetching_replaces_a_corrupted_file(sandbox, source, files):
    """fetch_mnist, the cure that errors name, puts a good file where a broken one was in data/."""
    put(sandbox.data, files)
    with mirror(site(FAKE)) as server:
        if source == "mirror":
            sandbox.mirrors(server.npz)
        else:
            put_npz(sandbox.keras)
        assert fetch_mnist() == sandbox.data / "mnist.npz"
    assert_is_fake(load_digits())


def test_a_corrupted_file_that_cannot_be_replaced_is_named(sandbox, monkeypatch):
    """As in a clone that is read-only: a good one in the cache comes too late, and the cures cure."""
    put_npz(sandbox.data, damaged("y_test"))
    put_npz(sandbox.keras)
    write = mnist.write_atomically

    def refuse(path):
        if path.parent == sandbox.data:
            raise PermissionError(13, "Permission denied", str(path))
        return write(path)

    monkeypatch.setattr(mnist, "write_atomically", refuse)
    told = rf"{sandbox.data}.*y_test.*delete it, or set VAE_COURSE_DATA to {sandbox.cache}"
    with pytest.raises(CorruptedDataError, match=told):
        fetch_mnist()
    sandbox.use(sandbox.cache)
    assert_is_fake(load_digits())


# Downloads


@pytest.mark.parametrize("form", ["npz", "base"])
def test_a_download_is_kept(sandbox, capfd, form):
    """A download, in either form, ends as one mnist.npz, under a progress bar; it is done once."""
    with mirror(site(FAKE)) as server:
        sandbox.mirrors(getattr(server, form))
        assert_is_fake(load_digits())
        out, err = capfd.readouterr()
        assert out == "" and "100%" in err and "hash" not in err.lower()
        n_requests = len(server.requests)
        assert n_requests == (1 if form == "npz" else 4)
        assert_is_fake(load_digits())
    assert len(server.requests) == n_requests
    path = only_file_in(sandbox.data)
    assert path.name == "mnist.npz"
    if os.name == "posix":
        assert path.stat().st_mode & 0o444 == 0o444


@pytest.fixture
def waits(monkeypatch):
    """Let no wait for a mirror take its time; keep the seconds that each would take.

    `patience_with(mirror)` says how a wait for a mirror goes; by default it ends with the transfer.
    """

    class Waits(list):
        def patience_with(self, transfer):
            transfer.join(60)

    def still_runs(transfer, seconds):
        waits.append(seconds)
        waits.patience_with(transfer)
        return transfer.is_alive()

    waits = Waits()
    monkeypatch.setattr(mnist, "_still_runs", still_runs)
    return waits


@pytest.mark.parametrize("fault", ["html", "garbage", "truncated", "stalled", 404, 503, "silent"])
@pytest.mark.parametrize("form", ["npz", "base"])
def test_a_bad_mirror_is_passed_over(sandbox, waits, fault, form):
    """Whatever a mirror does wrong, nothing of it is kept, and the next one is taken."""
    with mirror(site(FAKE), fault) as bad, mirror(site(FAKE)) as good:

        def patience_with(transfer):
            if transfer.mirror != good.npz and fault in ("stalled", "silent"):
                assert wait_until(lambda: bad.requests)
            else:
                transfer.join(60)

        waits.patience_with = patience_with
        sandbox.mirrors(getattr(bad, form), good.npz)
        assert_is_fake(load_digits())
    assert bad.requests and good.requests
    assert only_file_in(sandbox.data).name == "mnist.npz"


def test_without_a_good_mirror_the_embedded_digits_step_in(sandbox, capsys):
    """ "auto" with bad mirrors only: the embedded digits, one line with the cure, and no file left."""
    with mirror(site(FAKE), 404) as bad, mirror(site(FAKE), "html") as portal:
        sandbox.mirrors(bad.npz, portal.base)
        assert load_digits().name == "embedded digits"
    line = only_line(capsys)
    assert all(w in line for w in ("404", "embedded digits", "vae-course data", "VAE_COURSE_DATA"))
    assert list(sandbox.data.iterdir()) == []


def test_error_names_every_place_and_mirror(sandbox):
    """ "mnist" without MNIST raises: each place, each mirror with its fault, and the cure."""
    sandbox.use(sandbox.yours)
    with mirror(site(FAKE), fault=404) as lost, mirror(site(FAKE), fault="html") as portal:
        sandbox.mirrors(lost.npz, portal.base, "http://127.0.0.1:9/mnist.npz")
        with pytest.raises(DataNotFoundError) as caught:
            load_digits("mnist")
    message = str(caught.value)
    for folder in (sandbox.yours, sandbox.data, sandbox.cache, sandbox.keras):
        assert str(folder) in message
    assert f"{lost.npz}: 404" in message
    assert f"{portal.base}: " in message and "DOCTYPE" in message and "log in" in message
    assert "http://127.0.0.1:9/mnist.npz: " in message and "efused" in message
    assert "object at" not in message and "vae-course data" in message


def test_another_data_set_is_refused(sandbox):
    """A mirror that sends sound files of other digits is refused, by the name of the array."""
    with mirror(site(stand_in(seed=1))) as server:
        sandbox.mirrors(server.npz)
        with pytest.raises(DataNotFoundError, match="array x_train differs"):
            fetch_mnist()
    assert list(sandbox.data.iterdir()) == []


def test_a_file_without_end_is_cut_off(sandbox, monkeypatch):
    """A mirror cannot fill the memory: what is much larger than MNIST is cut off."""
    monkeypatch.setattr(mnist, "MOST_BYTES", 100_000)
    with mirror(site(FAKE)) as server:
        sandbox.mirrors(server.npz)
        with pytest.raises(DataNotFoundError, match="more than"):
            fetch_mnist()


def test_empty_list_of_mirrors_means_no_download(sandbox, capsys):
    """VAE_COURSE_MIRRORS set but empty switches downloads off, and the error says so."""
    sandbox.mirrors()
    with pytest.raises(DataNotFoundError, match="VAE_COURSE_MIRRORS"):
        load_digits("mnist")
    for _ in range(2):
        assert load_digits().name == "embedded digits"
        assert "VAE_COURSE_MIRRORS is empty" in only_line(capsys)


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


# Networks that are slow, or worse


def test_a_black_hole_ends_in_the_embedded_digits(sandbox, capsys, monkeypatch):
    """Mirrors that accept and never answer get 11 s in all; then the embedded digits step in."""
    assert mnist.PATIENCE["auto"] == 11
    monkeypatch.setitem(mnist.PATIENCE, "auto", 0.3)
    with socket.create_server(("127.0.0.1", 0), backlog=8) as hole:
        base = f"http://127.0.0.1:{hole.getsockname()[1]}/"
        sandbox.mirrors(base + "mnist.npz", base, base + "other/")
        assert load_digits().name == "embedded digits"
    assert "no answer within 0.1 s" in only_line(capsys)


def test_a_hanging_name_does_not_hold_up_the_next_mirror(sandbox, monkeypatch, waits):
    """A mirror whose name is neither resolved nor refused costs its share of patience, no more."""
    resolve, asked, release = socket.getaddrinfo, threading.Event(), threading.Event()

    def hang(host, *args, **kwargs):
        if host == "mnist.invalid":
            asked.set()
            release.wait(60)
        return resolve(host, *args, **kwargs)

    def patience_with(transfer):
        asked.wait(60) if "invalid" in transfer.mirror else transfer.join(60)

    waits.patience_with = patience_with
    monkeypatch.setattr(socket, "getaddrinfo", hang)
    with mirror(site(FAKE)) as server:
        sandbox.mirrors("http://mnist.invalid/mnist.npz", server.npz)
        assert_is_fake(load_digits())
    assert not release.is_set() and sum(waits) <= mnist.PATIENCE["auto"]
    release.set()


def test_a_dead_address_does_not_hold_up_the_next_one(sandbox, monkeypatch, waits):
    """A name with two addresses, of which the first is silent, as where IPv6 is broken."""
    timeouts, connect = [], socket.socket.connect

    def connect_or_hang(self, address):
        if address[0] == "192.0.2.1":
            timeouts.append(self.gettimeout())
            raise TimeoutError
        return connect(self, address)

    with mirror(site(FAKE)) as server:
        port = int(server.base.split(":")[2].strip("/"))
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))
            for host in ("192.0.2.1", "127.0.0.1")
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)
        monkeypatch.setattr(socket.socket, "connect", connect_or_hang)
        sandbox.mirrors(f"http://mnist.invalid:{port}/mnist.npz")
        assert_is_fake(load_digits())
    assert timeouts and max(timeouts) < waits[0] / 2


@pytest.mark.parametrize("ration, arrives", [(10_000, False), (40_000, True)])
def test_a_trickle_is_given_up_and_a_slow_line_is_not(
    sandbox, capsys, monkeypatch, waits, ration, arrives
):
    """A steady line gets its patience again and again; a trickle does not, and is shut off."""
    monkeypatch.setattr(mnist, "LEAST_BYTES", 20_000)
    with mirror(site(FAKE), "rationed", ration=ration) as server:

        def patience_with(transfer):
            before = transfer.received
            server.rations.release()
            assert wait_until(lambda: transfer.received > before or not transfer.is_alive())

        waits.patience_with = patience_with
        sandbox.mirrors(server.npz)
        assert load_digits().name == ("MNIST" if arrives else "embedded digits")
        if arrives:
            assert len(waits) > 5
        else:
            assert len(waits) == 1 and "too slow, only 8 kB" in only_line(capsys)
            assert wait_until(lambda: server.rations.release() or server.left), "it goes on"
            assert list(sandbox.data.iterdir()) == []


# Settings of the computer that stand in the way


PROXY = "http://mnist.invalid/mnist.npz"
TLS = "https://127.0.0.1:9/mnist.npz"


@pytest.mark.parametrize(
    "variable, value, address",
    [
        ("REQUESTS_CA_BUNDLE", "/gone/ca.pem", TLS),
        ("CURL_CA_BUNDLE", "/gone/ca.pem", TLS),
        ("HTTP_PROXY", "http://127.0.0.1:9", PROXY),
        ("http_proxy", "127.0.0.1:9", PROXY),
        ("HTTPS_PROXY", "http://127.0.0.1:9", PROXY.replace("p:", "ps:")),
        ("ALL_PROXY", "socks5://127.0.0.1:9", PROXY),
        ("HTTP_PROXY", "http://:port", PROXY),
        ("HTTPS_PROXY", "http://[x", PROXY.replace("p:", "ps:")),
        ("ALL_PROXY", "\udcff", PROXY),
        ("VAE_COURSE_MIRRORS", "mirror.example.org", "mirror.example.org"),
        ("VAE_COURSE_MIRRORS", "http://[x", "http://[x"),
        ("VAE_COURSE_MIRRORS", "\udcff", "\udcff"),  # a byte that is no UTF-8
    ],
)
def test_a_setting_that_is_wrong_is_named(sandbox, monkeypatch, capsys, variable, value, address):
    """Proxies and certificates that are gone, malformed addresses: one line, the variable; lessons go on."""
    sandbox.mirrors(address)
    monkeypatch.setenv(variable, value)
    assert load_digits().name == "embedded digits"
    line, words = only_line(capsys), f"correct or unset {variable} "
    assert words in line and "cannot write" not in line and "object at" not in line
    with pytest.raises(DataNotFoundError, match=words):
        load_digits("mnist")


def test_a_certificate_that_does_not_count_is_told_with_its_causes(sandbox, capsys):
    """TLS that fails: the clock and the network's own certificates are what a reader can mend."""
    with mirror(site(FAKE)) as server:  # it answers in plain text
        sandbox.mirrors(server.npz.replace("http:", "https:"))
        assert load_digits().name == "embedded digits"
    line = only_line(capsys)
    assert "set the clock" in line and "REQUESTS_CA_BUNDLE" in line


def test_a_proxy_that_answers_with_a_page_is_told(sandbox, monkeypatch, capsys):
    """As a proxy does that wants a login."""
    with mirror({"mnist.npz": b""}, "html") as proxy:
        sandbox.mirrors(PROXY)
        monkeypatch.setenv("HTTP_PROXY", proxy.base)
        assert load_digits().name == "embedded digits"
    line = only_line(capsys)
    assert proxy.requests and "log in" in line and "HTTP_PROXY" in line


@pytest.mark.parametrize("content", [b"\xff\xfe broken", b"machine 127.0.0.1 login me password it"])
def test_netrc_is_not_asked(sandbox, monkeypatch, tmp_path, content):
    """The user's passwords are not sent, and a broken file of them does no harm."""
    (tmp_path / "netrc").write_bytes(content)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with mirror(site(FAKE)) as server:
        sandbox.mirrors(server.npz)
        assert_is_fake(load_digits())
    assert server.passwords == [None]


def test_no_folder_for_temporary_files_is_needed(sandbox, monkeypatch):
    """A TMPDIR that is gone or full does no harm."""
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(sandbox.root / "gone"))
    with mirror(site(FAKE)) as server:
        sandbox.mirrors(server.base)
        assert fetch_mnist() == sandbox.data / "mnist.npz"


# Disks that take nothing more


@pytest.mark.parametrize("repository", ["file/data", "missing", None])
def test_unwritable_data_folder_falls_back_to_the_cache(sandbox, tmp_path, repository):
    """Where data/ is not there, or cannot be written to, the download goes to the user's cache."""
    (tmp_path / "file").touch()  # a folder inside a file: even root cannot write to that
    sandbox.move_to(repository and tmp_path / repository, sandbox.cache)
    with mirror(site(FAKE)) as server:
        sandbox.mirrors(server.npz)
        assert load_digits("mnist").source == str(sandbox.cache / "mnist.npz")
    assert len(server.requests) == 1


def test_a_folder_of_the_files_name_falls_back_to_the_cache(sandbox):
    """Where data/mnist.npz is a folder, which no file can replace."""
    (sandbox.data / "mnist.npz").mkdir()
    with mirror(site(FAKE)) as server:
        sandbox.mirrors(server.npz)
        assert fetch_mnist() == sandbox.cache / "mnist.npz"
    assert only_file_in(sandbox.data).is_dir()


def test_nowhere_to_write_is_told(sandbox, tmp_path, capsys):
    """Where no folder can be written to, the error, or the one line of "auto", names them."""
    (tmp_path / "file").touch()
    folders = (tmp_path / "file" / "data", tmp_path / "file" / "cache")
    sandbox.move_to(*folders)
    with mirror(site(FAKE)) as server:
        sandbox.mirrors(server.npz)
        assert load_digits().name == "embedded digits"
        line = only_line(capsys)
        with pytest.raises(DataNotFoundError, match="cannot write to") as caught:
            load_digits("mnist")
    assert all(str(folder) in text for folder in folders for text in (str(caught.value), line))


def test_a_full_disk_falls_back_to_the_cache(sandbox, tmp_path):
    """A disk that fills up leaves nothing there, and the cache is taken."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("run as root on Linux: needs to mount a tiny disk")
    try:
        with mirror(site(FAKE)) as server:
            sandbox.mirrors(server.npz)
            sandbox.move_to(disk, sandbox.cache)
            assert fetch_mnist() == sandbox.cache / "mnist.npz"
            assert list(disk.iterdir()) == []
            shutil.rmtree(sandbox.cache)
            sandbox.move_to(disk, disk)
            with pytest.raises(DataNotFoundError, match="No space left") as caught:
                fetch_mnist()
        assert str(disk) in str(caught.value)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


# Other processes


LOAD = (
    "from vae_course.data import load_digits; d = load_digits('mnist'); print(d.name, *d.y_train)"
)
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
        while not done.wait(0.005):
            if target.exists():
                try:
                    mnist.read([target])
                except CorruptedDataError as error:
                    halves.append(error)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with mirror(site(FAKE), together=2) as server:
            sandbox.mirrors(server.npz)
            processes = [start_python(LOAD, clone) for _ in range(2)]
            outputs = [output_of(process).strip() for process in processes]
    finally:
        done.set()
        watcher.join()
    assert outputs == [EXPECTED] * 2
    assert len(server.requests) == 2  # a real race
    assert not halves
    assert only_file_in(clone / "data") == target


@pytest.mark.parametrize("end", ["kill", pytest.param("interrupt", marks=posix_only)])
def test_an_end_in_the_middle_leaves_nothing(sandbox, clone, end):
    """After a kill or Ctrl-C half-way there is no file, and the next call downloads a good one."""
    with mirror(site(FAKE), "stalled") as server:
        sandbox.mirrors(server.npz)
        process = start_python(LOAD, clone)
        assert wait_until(lambda: server.sent > 100_000)
        process.kill() if end == "kill" else process.send_signal(2)
        out, err = process.communicate(timeout=60)
    assert out == "" and ("KeyboardInterrupt" in err) == (end == "interrupt")
    assert list((clone / "data").iterdir()) == []
    if end == "kill":
        with mirror(site(FAKE)) as server:
            sandbox.mirrors(server.npz)
            assert run_python(LOAD, clone).strip() == EXPECTED


def test_a_hanging_name_server_does_not_keep_python_from_ending(sandbox, clone):
    """A script that has got its digits ends, although a name is still being looked up."""
    code = """
import socket, time
from vae_course import data, mnist
socket.getaddrinfo = lambda *args, **kwargs: time.sleep(600)
mnist.PATIENCE["auto"] = 0.2
data.load_digits()"""
    sandbox.mirrors("http://mnist.invalid/mnist.npz")
    assert "no answer within 0.2 s" in run_python(code, clone)


@posix_only
def test_a_full_quota_is_told(sandbox, clone):
    """A disk that takes only part of the file: the error names the folder, and nothing is left there."""
    code = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (99_999, 99_999))
from vae_course.mnist import fetch_mnist
fetch_mnist()"""
    with mirror(site(FAKE)) as server:
        sandbox.mirrors(server.npz)
        _, err = start_python(code, clone).communicate(timeout=60)
    assert "DataNotFoundError" in err and "cannot write to" in err
    assert str(clone / "data") in err and "File too large" in err
    assert list((clone / "data").iterdir()) == []
