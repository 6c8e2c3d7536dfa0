"""Files that are whole or not there: what a reader, a second writer and a failure find."""

import os
import socket
import stat

import pytest

from vae_course.atomic import check_writable, write_atomically, write_rows


def test_a_file_is_replaced_at_once(tmp_path):
    """While the new one is written, the old one is whole; then nothing else is left."""
    path = tmp_path / "state.keras"
    path.write_text("old")
    with write_atomically(path) as unfinished:
        unfinished.write_text("half")
        assert path.read_text() == "old"
        assert unfinished.parent == tmp_path and unfinished.suffix == ".keras"
        unfinished.write_text("new")
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError("bad"), KeyboardInterrupt()])
def test_a_file_that_is_not_finished_stays_what_it_was(tmp_path, error):
    """The old content is there, the half-written file is not; the error is the one that was raised."""
    path = tmp_path / "card.json"
    path.write_text("old")
    with pytest.raises(type(error)), write_atomically(path) as unfinished:
        unfinished.write_text("half")
        raise error
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_told_with_the_file_and_the_reason(tmp_path):
    """In one line, with a cure."""
    with pytest.raises(
        OSError, match=r"new\.csv cannot be written: No space left.*Free some disk space"
    ):
        with write_atomically(tmp_path / "new.csv") as unfinished:
            unfinished.write_text("half")
            raise OSError(28, "No space left on device", str(unfinished))
    assert list(tmp_path.iterdir()) == []


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    """Each has a file of its own until the end; the last one to end wins."""
    path = tmp_path / "grades.csv"
    with write_atomically(path) as first:
        first.write_text("first")
        with write_atomically(path) as second:
            second.write_text("second")
        assert path.read_text() == "second"
    assert path.read_text() == "first" and list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="permissions and links of POSIX")
def test_permissions_and_links_are_kept(tmp_path):
    """A new file has those that the umask gives to any; a replaced one has its own; a link stays a link."""
    (tmp_path / "plain").touch()
    with write_atomically(tmp_path / "new") as unfinished:
        unfinished.touch()
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "plain").stat().st_mode
    (tmp_path / "new").chmod(0o640)
    (tmp_path / "link").symlink_to(tmp_path / "new")
    with write_atomically(tmp_path / "link") as unfinished:
        unfinished.write_text("by the link")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "new").read_text() == "by the link"
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
@pytest.mark.parametrize("kind", ["pipe", "socket", "folder", "link to a pipe"])
def test_what_is_no_ordinary_file_is_not_replaced(tmp_path, kind, monkeypatch):
    """It is told before anything is written, with the name and a cure."""
    monkeypatch.chdir(tmp_path)  # the name of a socket has to be short
    os.mkfifo("pipe")
    os.mkdir("folder")
    os.symlink("pipe", "link to a pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
    before = {path: path.lstat() for path in tmp_path.iterdir()}
    with pytest.raises(OSError, match=f"^{kind} cannot be written: .*no ordinary.*another name"):
        with write_atomically(kind):
            pytest.fail("there was something to write to")
    assert {path: path.lstat() for path in tmp_path.iterdir()} == before


def test_a_table_is_whole_and_the_same_on_every_system(tmp_path):
    """Lines end with one character; a row that does not fit leaves the old table as it was."""
    path = tmp_path / "alarm.csv"
    write_rows(path, [{"method": "VAE, error", "found": 1}, {"method": "PCA", "found": None}])
    content = path.read_bytes()
    assert content == b'method,found\n"VAE, error",1\nPCA,\n'
    for other in {"method": "PCA"}, {"method": "PCA", "found": 1, "false": 2}:
        with pytest.raises(ValueError, match=r"'PCA'.*other columns than .*'method', 'found'"):
            write_rows(path, [{"method": "VAE", "found": 1}, other])
    assert path.read_bytes() == content and list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    """Without an option that not every command has."""
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"Nothing can be written to .*: choose another folder\.$"):
        check_writable(tmp_path / "file" / "below")
