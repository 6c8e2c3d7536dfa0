"""Executing lessons: good ones, failing ones, their site and table; and reading and tidying them."""

import asyncio
import errno
import gc
import json
import logging
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import joblib
import nbformat
import psutil
import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError

from vae_course import lesson
from vae_course.atomic import write_atomically
from vae_course.cli import main
from vae_course.lesson import EXPLORER
from vae_course.teaching import cited_numbers, kernel, notebooks, side_by_side, site

RECORD = "from vae_course.lesson import record\nrecord(dataset, loss=1.5, kl=2)"
FIGURE = """
import matplotlib.pyplot as plt
from vae_course import plotting
plotting.show(plt.figure(), 'A line "up" that is < 5 long.')
"""
# What each lesson does, and what `vae-course run` says about it in its last lines.
LESSONS = {
    "00_first": (RECORD, ""),
    "01_broken": ("1 / 0", "cell 3 (1 / 0): ZeroDivisionError: division by zero"),
    "02_last": ("print('it went on')", ""),
    "03_full": (RECORD, ""),
    "04_figure": (FIGURE, ""),
    "05_colab": ("print('from Colab')", ""),
    "06_python": (
        "import sys, beside\nprint(sys.executable, sys.flags.no_user_site, 'haunted' in dir())",
        "",
    ),
    "07_ends": ("import os; os._exit(3)", "its kernel ended with exit status 3"),
    "08_killed": (
        "import os; os.kill(os.getpid(), 9)",
        "cell 3 (import os; os.kill(os.getpid(), 9)): its kernel was killed, probably for lack of",
    ),
    "09_memory": ("raise MemoryError('of 9 TB')", "MemoryError: of 9 TB"),
    "10_asks": ("input()", "cell 3 (input()): StdinNotImplementedError"),
    "11_leaves": ("import sys; sys.exit()", "cell 3 (import sys; sys.exit()): SystemExit"),
    "12_prints": ("print('flood' * 30_000)", "it printed or showed more than 0.1 MB"),
    "13_floods": ("while True: print('flood' * 300)", "it printed or showed more than 0.1 MB"),
    "14_half": (None, "14_half.ipynb is not a valid notebook (JSONDecodeError: Expecting value"),
    "15_version_3": (None, "it has format 3 instead of 4"),
}


def write_lesson(folder, name, *sources, parameters="dataset = 'auto'"):
    """Write a little lesson: a title, tagged parameters, and the sources as cells."""
    cells = [
        nbformat.v4.new_markdown_cell(f"# Title of {name}\n\nand more"),
        nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        *[nbformat.v4.new_code_cell(source) for source in sources],
    ]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path = folder / f"{name}.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)
    return path


def as_colab_saves(path):
    """Rewrite a notebook as Colab does: format 4.0, ids in the metadata, widgets without a state."""
    raw = json.loads(path.read_text(encoding="utf-8"))
    raw["nbformat_minor"] = 0
    raw["metadata"] |= {"colab": {"provenance": []}, "widgets": {"application/x": {"1": {}}}}
    # Some programs leave out the language, too.
    raw["metadata"].pop("language_info", None)
    raw["metadata"]["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    raw["metadata"]["accelerator"] = "GPU"
    for place, cell in enumerate(raw["cells"]):
        cell.pop("id")
        cell["metadata"] |= {
            "id": f"Xy_{place}",
            "outputId": "1",
            "colab": {"base_uri": "https://a"},
        }
    path.write_text(json.dumps(raw), encoding="utf-8")
    return path


def haunt(folder):
    """Write settings of Jupyter, IPython and Python that would break any kernel; return the environment."""
    spec = folder / "kernels" / "python3" / "kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text('{"argv": ["/nowhere/python"], "display_name": "x", "language": "python"}')
    profile = folder / "profile_default"
    (profile / "startup").mkdir(parents=True)
    (profile / "startup" / "00.py").write_text("haunted = 1")
    (profile / "ipython_kernel_config.py").write_text(
        "c.InteractiveShellApp.exec_lines = ['haunted = 2']"
    )
    (folder / "start.py").write_text("haunted = 3")
    (folder / "numpy.py").write_text("raise SystemExit('This is no NumPy.')")
    (folder / "docutils.conf").write_bytes(b"\xff")
    names = "JUPYTER_PATH JUPYTER_DATA_DIR JUPYTER_CONFIG_DIR IPYTHONDIR".split()
    return dict.fromkeys(names, str(folder)) | {
        "PYTHONSTARTUP": str(folder / "start.py"),
        "MPLBACKEND": "agg",
        "PYTHONPATH": str(folder),
        "PYTHONWARNINGS": "error",
        "DOCUTILSCONFIG": str(folder / "docutils.conf"),
    }


def gone(pid, seconds=60):
    """Wait until a process has ended, whether or not somebody has asked for its exit status."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def pid_told(link, process=None, seconds=300):
    """Wait for the link by which a lesson tells the number of its kernel's process."""
    end = time.monotonic() + seconds
    while not link.is_symlink():
        assert time.monotonic() < end and (process is None or process.poll() is None)
        time.sleep(0.05)
    return int(os.readlink(link))


def run(folder, out, *args):
    """Call `vae-course run` on a folder of lessons with the embedded digits."""
    options = ["run", "--dataset", "digits", "--notebooks", str(folder), "--out", str(out), *args]
    result = CliRunner().invoke(main, options)
    assert isinstance(result.exception, SystemExit | None), result.exception
    return result


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Run all of `LESSONS` at once, on a machine with broken settings; give the result and the folder."""
    root = tmp_path_factory.mktemp("run")
    folder, out = root / "notebooks", root / "out"
    folder.mkdir()
    for name, (source, _) in LESSONS.items():
        parameters = "dataset = 0\nretrain = None" if name == "03_full" else "dataset = 'auto'"
        write_lesson(folder, name, source or "1", "print('to the end')", parameters=parameters)
    for name in ("types", "enum", "random"):  # Python's own must not be hidden
        (folder / f"{name}.py").write_text("raise SystemExit('This is mine.')")
    (folder / "beside.py").touch()
    as_colab_saves(folder / "05_colab.ipynb")
    (folder / "14_half.ipynb").write_text('{"cells": [')
    (folder / "15_version_3.ipynb").write_text('{"nbformat": 3, "worksheets": []}')
    out.mkdir()
    write_lesson(out, "14_half", "print('from yesterday')")
    (out / "14_half.html").write_text("from yesterday")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in haunt(root / "home").items():
            patch.setenv(name, value)
        patch.setattr(kernel, "MOST_OUTPUT", 100_000)
        result = run(folder, out, "--profile", "full", "--workers", "1")
    return result, out


def test_one_failing_lesson_stops_no_other(ran):
    """Exit status 1; each lesson that could be read is kept, with a page; nothing else lies about."""
    result, out = ran
    assert result.exit_code == 1
    kept = [name for name, (source, _) in LESSONS.items() if source]
    for end in "ipynb", "html":
        assert sorted(p.stem for p in out.glob(f"[0-9]*.{end}")) == kept
    assert not list(out.rglob("*unfinished*")) and not list(out.glob(".*"))
    assert "it went on" in (out / "02_last.html").read_text(encoding="utf-8")
    for name, (_, error) in LESSONS.items():
        if not error:
            assert "to the end" in (out / f"{name}.html").read_text(encoding="utf-8"), name


@pytest.mark.parametrize("name", LESSONS)
def test_each_trouble_is_told_in_one_line(name, ran):
    """Below the name: the cell as a reader counts it, its code, and what happened; no traceback."""
    output, error = ran[0].output, LESSONS[name][1]
    assert "Traceback" not in output
    told = re.search(rf"^FAILED {name}.*\n  (.*)$", output, re.M)
    if not error:
        assert not told
        return
    assert error in told.group(1) and len(told.group(1)) < 500
    if name in ("08_killed", "09_memory"):
        assert re.search(r"\d+\.\d GB are free: close other programs", told.group(1))


def test_a_failed_lesson_is_kept_with_its_traceback(ran):
    """In the notebook, whose place is told, and in its page."""
    result, out = ran
    kept = nbformat.read(out / "01_broken.ipynb", as_version=4)
    told = f"FAILED 01_broken, kept as {out / '01_broken.ipynb'}"
    assert told in result.output
    assert any(o.output_type == "error" for c in kept.cells for o in c.get("outputs", []))
    assert kept.cells[-1].outputs == []
    assert "ZeroDivisionError" in (out / "01_broken.html").read_text(encoding="utf-8")


def test_the_table_and_the_site_tell_data_set_seconds_status_and_numbers(ran):
    """Every lesson has its line in both; the front page tells what failed, as the page of numbers does."""
    result, out = ran
    for name, (_, error) in LESSONS.items():
        (line,) = re.findall(rf"^{name} .*\d\.\d .*$", result.output, re.M)
        assert ("FAILED" if error else " ok ") in line
        if name == "00_first":
            assert " digits " in line and "loss 1.5, kl 2" in line
    numbers = (out / "numbers.html").read_text(encoding="utf-8")
    rows = [
        row.get_text(" ").split() for row in BeautifulSoup(numbers, "html.parser").find_all("tr")
    ]
    assert ["loss", "1.5"] in rows and ["kl", "2"] in rows
    for page in numbers, (out / "index.html").read_text(encoding="utf-8"):
        for text in ("Title of 00_first", "FAILED", "ZeroDivisionError", "02_last.html"):
            assert text in page
        assert "14_half.html" not in page and "from yesterday" not in page


def test_a_flood_of_output_is_cut(ran):
    """What came before is kept, and the notebook stays small."""
    for name in ("12_prints", "13_floods"):
        text = (ran[1] / f"{name}.ipynb").read_text(encoding="utf-8")
        assert "flood" in text and len(text) < 200_000


def test_lessons_are_run_by_this_python_whatever_the_users_settings_are(ran):
    """Not by a kernel spec of the same name, and without startup files; what is beside can be imported."""
    cells = nbformat.read(ran[1] / "06_python.ipynb", as_version=4).cells
    isolated = int(sys.prefix != sys.base_prefix)
    assert cells[3].outputs[0].text.split() == [sys.executable, str(isolated), "False"]


def test_figures_keep_their_alternative_text_in_the_page(ran):
    """A reader who cannot see the figure is told what there is to see; quotes do not break it."""
    page = (ran[1] / "04_figure.html").read_text(encoding="utf-8")
    texts = [image.get("alt") for image in BeautifulSoup(page, "html.parser").select("article img")]
    assert 'A line "up" that is < 5 long.' in texts


def test_parameters_pass_through_where_a_lesson_has_them(ran):
    """The data set that was found, and whether to train anew; nothing that a lesson does not know."""
    injected = []
    for name in ("00_first", "03_full"):
        cells = nbformat.read(ran[1] / f"{name}.ipynb", as_version=4).cells
        injected.append({line for cell in cells for line in cell.source.splitlines()})
    assert 'dataset = "digits"' in injected[0] & injected[1]
    assert "retrain = True" in injected[1] - injected[0]


def test_all_lessons_well_means_exit_status_zero(tmp_path):
    """A choice of lessons, by a number or a file, once or twice, leaves the broken one out."""
    for name in ("00_first", "01_broken"):
        write_lesson(tmp_path, name, LESSONS[name][0])
    out = tmp_path.with_name("out")
    result = run(tmp_path, out, "00", "notebooks/00_first.ipynb")
    assert result.exit_code == 0 and "1 lesson(s)" in result.output, result.output
    assert not list(out.rglob("01_broken*"))


def test_numbers_are_held_against_what_is_expected(tmp_path):
    """What differs is named, and fails where that is asked for; texts cite what was measured."""
    folder, out = tmp_path / "notebooks", tmp_path / "out"
    folder.mkdir()
    path = write_lesson(folder, "00_first", RECORD)
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_markdown_cell("9.9<!--loss--> and 9.9<!--01.loss-->"))
    nbformat.write(notebook, path)
    expected = {"loss": (1.52, 0.01), "kl": (2.0, None)}
    for name in ("00_first", "01_next"):
        cited_numbers.keep(folder, name, {"dataset": "digits", "numbers": expected})
    good = run(folder, out)
    assert good.exit_code == 0 and "All numbers are as expected" in good.output
    assert "loss 1.5 (1.52 ± 0.01), kl 2 (2)" in good.output
    page = (out / "00_first.html").read_text(encoding="utf-8")
    (text,) = re.findall(r"<p>.* and .*</p>", page)
    assert re.sub("<.*?>", "", text) == "1.5 and 1.5"
    assert "9.9" in path.read_text(encoding="utf-8")
    wrong = {"dataset": "digits", "numbers": {"loss": (1.2, 0.01), "kl": (2.0, None)}}
    cited_numbers.keep(folder, "00_first", wrong)
    for options, status in ([], 0), (["--strict"], 1):
        result = run(folder, out, *options)
        assert result.exit_code == status
        assert "DIFFERS 00_first, digits: loss 1.5, expected 1.2 ± 0.01" in result.output
        assert "kl 2, expected" not in result.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_keeps_what_is_done_and_leaves_no_kernel(number, tmp_path):
    """Table, exit status 130, the interrupted lesson as far as it came, nothing half-written."""
    folder, out, started = tmp_path / "notebooks", tmp_path / "out", tmp_path / "started"
    folder.mkdir()
    write_lesson(folder, "00_first", RECORD)
    code = f"import os\nos.symlink(str(os.getpid()), {str(started)!r})\nwhile True: pass"
    write_lesson(folder, "01_long", "print('so far')", code)
    write_lesson(folder, "02_last", "1")
    code = "import sys; from vae_course.cli import main; main(sys.argv[1:])"
    options = ["run", "--dataset", "digits", "--notebooks", str(folder), "--out", str(out)]
    options += ["--workers", "1"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, "-c", code, *options], **pipes)
    pid = pid_told(started, process)
    process.send_signal(number)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 130, errors
    assert re.search(r"^00_first .* ok ", output, re.M)
    assert re.search(r"^01_long .* interrupted ", output, re.M) and "02_last" not in output
    assert "interrupted 01_long, kept as" in errors and "Traceback" not in errors
    assert gone(pid)
    for end in "ipynb", "html":
        assert sorted(p.stem for p in out.glob(f"[0-9]*.{end}")) == ["00_first", "01_long"]
    assert (out / "index.html").exists() and not list(out.glob(".*"))
    assert "so far" in (out / "01_long.html").read_text(encoding="utf-8")


def test_what_an_interrupt_hit_shows_no_traceback(monkeypatch, tmp_path, caplog):
    """A task that nobody asks any more would log its exception when it is deleted."""

    def interrupted(*_):
        async def cell():
            raise KeyboardInterrupt

        async def lesson():
            await asyncio.create_task(cell())

        asyncio.new_event_loop().run_until_complete(lesson())

    monkeypatch.setattr(notebooks, "run_cells", interrupted)
    monkeypatch.setattr(logging.getLogger("asyncio"), "level", logging.ERROR)
    write_lesson(tmp_path, "00_first", RECORD)
    (tmp_path / "out").mkdir()
    result = notebooks.execute(tmp_path / "00_first.ipynb", tmp_path / "out", {})
    gc.collect()
    assert (result.status, caplog.text) == ("interrupted", "")


SIDE_BY_SIDE = """
import os, signal, sys, threading, time
from pathlib import Path
from vae_course.cli import main

def interrupt():
    while not Path(sys.argv[1]).exists():
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGINT)

if __name__ == "__main__":
    threading.Thread(target=interrupt, daemon=True).start()
    main(sys.argv[2:])
"""


def test_lessons_run_side_by_side_until_ctrl_c(tmp_path):
    """The last first, but in the order of the course in the table; two that wait are both interrupted."""
    folder, out = tmp_path / "notebooks", tmp_path / "out"
    folder.mkdir()
    script = tmp_path / "script.py"
    script.write_text(SIDE_BY_SIDE)
    there, wait = "from pathlib import Path", "import time\nwhile not {}: time.sleep(0.05)"
    fourth, pids = tmp_path / "fourth", [tmp_path / "pid 0", tmp_path / "pid 4"]
    sleep = wait.format(f"Path({str(fourth)!r}).exists()")
    write_lesson(folder, "06_waits_for_the_fourth", there, sleep, RECORD)
    write_lesson(folder, "05_fails", "1 / 0")
    threads = "import os\nfrom vae_course.teaching.kernel import THREADS\n"
    threads += "print({os.environ[name] for name in THREADS})"
    write_lesson(folder, "04_fourth", there, f"Path({str(fourth)!r}).touch()", threads)
    pid, both = "import os\nos.symlink(str(os.getpid()), {!r})", tmp_path / "both"
    for name, mine, other in (("03_long", *pids), ("02_long", *pids[::-1])):
        until = wait.format(f"Path({str(other)!r}).is_symlink()")
        end = f"Path({str(both)!r}).mkdir(exist_ok=True)\nwhile True: pass"
        write_lesson(folder, name, there, pid.format(str(mine)), until, end)
    write_lesson(folder, "01_never_begun", "1")
    options = ["run", "--dataset", "digits", "--notebooks", str(folder), "--out", str(out)]
    command = [sys.executable, str(script), str(both), *options, "--workers", "2"]
    env = {name: value for name, value in os.environ.items() if name not in kernel.THREADS}
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=env)
    assert done.returncode == 130, done.stderr
    table = re.findall(r"^(0\d)_\w+ .* (ok|FAILED|interrupted) ", done.stdout, re.M)
    expected = ["interrupted", "interrupted", "ok", "FAILED", "ok"]
    assert table == [(f"0{number}", status) for number, status in enumerate(expected, 2)]
    assert "ZeroDivisionError" in done.stderr and "Traceback" not in done.stderr
    assert re.search(r"5/6 .*lesson", done.stderr)
    fourth = nbformat.read(out / "04_fourth.ipynb", as_version=4).cells[-1]
    assert fourth.outputs[0].text == f"{ {str(max(1, joblib.cpu_count() // 2))} }\n"
    assert all(gone(int(os.readlink(path))) for path in pids)
    assert sorted(p.stem[:2] for p in out.glob("[0-9]*.html")) == ["02", "03", "04", "05", "06"]


@pytest.mark.parametrize(
    ("cores", "memory", "how"),
    [(8, 5.9e9, "one by one"), (1, 64e9, "one by one"), (2, 6e9, "side by side")],
)
def test_lessons_run_side_by_side_where_cores_and_memory_suffice(monkeypatch, cores, memory, how):
    """Each needs a core and 3 GB."""

    def tell(how):
        raise InterruptedError(how)

    monkeypatch.setattr(side_by_side.joblib, "cpu_count", lambda: cores)
    monkeypatch.setattr(side_by_side, "free_memory", lambda: int(memory))
    monkeypatch.setattr(side_by_side, "_one_after_the_other", lambda *_: tell("one by one"))
    monkeypatch.setattr(side_by_side, "_start", lambda *_: tell("side by side"))
    with pytest.raises(InterruptedError, match=how):
        side_by_side.execute_all([Path("a"), Path("b")], Path("out"), {})


def test_a_number_of_cores_that_is_none_is_named(monkeypatch, tmp_path):
    """With its variable and the cure, before anything runs."""
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "many")
    with pytest.raises(ValueError, match="LOKY_MAX_CPU_COUNT is 'many': set it .*, or unset it"):
        side_by_side.execute_all([tmp_path / "00_first.ipynb"], tmp_path, {})


@pytest.mark.parametrize("streams", ["<&- >&- 2>&-", "2>&1 | true"])
def test_a_run_needs_nobody_who_listens(streams, tmp_path):
    """Not at its start, as in a service, nor later, as after `| head`: the site is made all the same."""
    for name in ("00_first", "01_last"):
        write_lesson(tmp_path, name, RECORD)
    out, status = tmp_path.with_name("out"), tmp_path.with_name("status")
    options = ["--dataset", "digits", "--notebooks", tmp_path, "--out", out, "--workers", "2"]
    command = [sys.executable, "-m", "vae_course", "run", *map(str, options)]
    script = f"{{ {shlex.join(command)}; echo $? > {shlex.quote(str(status))}; }} {streams}"
    subprocess.run(["sh", "-c", script], check=True, timeout=600)
    assert status.read_text() == "0\n"
    assert (out / "index.html").exists() and (out / "01_last.html").exists()


def test_a_process_that_ends_is_a_failed_lesson(tmp_path):
    """The others go on; with no parent, a lesson stops."""
    dies = "import os, psutil\nos.kill(psutil.Process().ppid(), 9)"
    paths = [write_lesson(tmp_path, "00_dies", dies), write_lesson(tmp_path, "01_lives", "1")]
    out = tmp_path / "out"
    out.mkdir()
    results = side_by_side.execute_all(paths, out, {}, 2)
    assert [result.status for result in results] == ["FAILED", "ok"]
    assert results[0].error == "its process ended with exit status -9"
    started = tmp_path / "started"
    tells = f"import os\nos.symlink(str(os.getpid()), {str(started)!r})"
    write_lesson(tmp_path, "00_dies", tells, "while True: pass")
    code = f"""
from pathlib import Path
from vae_course.teaching import side_by_side
if __name__ == "__main__":
    side_by_side.execute_all([*map(Path, {[str(path) for path in paths]})], {str(out)!r}, {{}}, 2)
"""
    (script := tmp_path / "script.py").write_text(code)
    parent = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.DEVNULL)
    pid = pid_told(started, parent)
    parent.kill()
    parent.wait()
    assert gone(pid)


def test_an_error_of_the_program_itself_leaves_no_lesson_running(monkeypatch, tmp_path):
    """And Ctrl-C means afterwards what it meant before."""
    started, paths = [tmp_path / "pid 0", tmp_path / "pid 1"], []
    for number, link in enumerate(started):
        tells = f"import os\nos.symlink(str(os.getpid()), {str(link)!r})"
        paths.append(write_lesson(tmp_path, f"0{number}_long", tells, "while True: pass"))
    pids = []

    def fail(pipes, timeout):
        pids.extend(map(pid_told, started))
        raise RuntimeError("a fault")

    monkeypatch.setattr(side_by_side.connection, "wait", fail)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(RuntimeError, match="a fault"):
        side_by_side.execute_all(paths, tmp_path.parent, {}, 2)
    assert signal.getsignal(signal.SIGINT) == before
    assert len(pids) == 2 and all(map(gone, pids))


def test_a_kernel_needs_no_port(tmp_path):
    """Another program may take one that was free when Jupyter looked; a long TMPDIR changes nothing."""
    code = (
        "from ipykernel import get_connection_info\n"
        "assert get_connection_info(unpack=True)['transport'] == 'ipc'"
    )
    path = write_lesson(tmp_path, "00_sockets", code)
    assert notebooks.execute(path, tmp_path.parent, {}).status == "ok"
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        (wide := Path(short, 40 * "ü")).mkdir()  # a name has bytes, not characters
        (long := tmp_path / ("long" * 25)).mkdir()
        for folder in (wide, long):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("tempfile.tempdir", str(folder))
                result = notebooks.execute(path, tmp_path.parent, {})
            assert result.status == "ok", result.error


def test_a_cell_that_never_ends_is_stopped(monkeypatch, tmp_path):
    """After the longest time that a cell may take."""
    monkeypatch.setattr(kernel, "CELL_SECONDS", 3)
    path = write_lesson(tmp_path, "00_hangs", "while True: pass")
    result = notebooks.execute(path, tmp_path.parent, {})
    assert result.status == "FAILED"
    assert result.error.startswith(
        "cell 3 (while True: pass): it was stopped because it had not finished after 3 seconds"
    )


def test_ctrl_c_while_a_kernel_starts_leaves_none(monkeypatch, tmp_path):
    """The process is there already, but no client yet."""
    processes = []

    async def interrupted(client):
        processes.append(client.km.provisioner.process.pid)
        raise KeyboardInterrupt

    monkeypatch.setattr(NotebookClient, "start_new_kernel_client", kernel.run_sync(interrupted))
    result = notebooks.execute(write_lesson(tmp_path, "00_first", "1"), tmp_path.parent, {})
    assert result.status == "interrupted"
    assert processes and not psutil.pid_exists(processes[0])


def test_a_full_disk_is_told_and_leaves_nothing_half_written(monkeypatch, tmp_path):
    """Of a lesson: the other one is kept, and the table is printed. Of the site: nothing lies about."""
    folder, out = tmp_path / "notebooks", tmp_path / "out"
    folder.mkdir()
    for name in ("00_first", "01_last"):
        write_lesson(folder, name, "1")

    def write_half(path, text):
        with write_atomically(path) as unfinished:
            unfinished.write_text("{")
            if path.name == "00_first.ipynb":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            unfinished.write_text(text)

    monkeypatch.setattr(notebooks, "write_text", write_half)
    result = run(folder, out, "--workers", "1")  # in this process
    assert result.exit_code == 1 and re.search(r"^00_first .* FAILED ", result.output, re.M)
    assert "No space left on device" in result.output and "Free some disk space" in result.output
    assert re.search(r"^01_last .* ok ", result.output, re.M)
    assert sorted(p.name for p in out.glob("[0-9]*")) == ["01_last.html", "01_last.ipynb"]

    def no_space(source, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))

    monkeypatch.setattr(site, "_run_sphinx", no_space)
    result = run(folder, out, "01")
    assert result.exit_code == 1 and re.search(r"^01_last .* ok ", result.output, re.M)
    assert "No space left on device" in result.output and "Traceback" not in result.output
    assert not list(out.glob(".*"))


@pytest.mark.parametrize("names", [(), ("07",), ("",), ("00", "first")])
def test_lessons_that_do_not_exist_are_refused(names, tmp_path):
    """An empty folder, or a name that no lesson has: the error names what is there."""
    if names:
        write_lesson(tmp_path, "00_first", "1")
    told = f"{names[-1]!r}.*holds 00_first" if names else "no lesson"
    with pytest.raises(FileNotFoundError, match=told):
        notebooks.find_lessons(tmp_path, names)
    result = run(tmp_path, tmp_path.with_name("out"), *names)
    assert result.exit_code == 1 and "Error: There is no lesson" in result.output


def test_a_folder_for_results_that_cannot_be_used_is_refused_before_anything_runs(tmp_path):
    """It is a file, lies below a file, belongs to the system, or is that of the lessons."""
    folder, file = tmp_path / "notebooks", tmp_path / "file"
    folder.mkdir()
    before = write_lesson(folder, "00_first", "1").read_bytes()
    file.write_text("a file")
    for out in (
        file,
        file / "out",
        "/proc/out",
        folder,
        folder / ".." / "notebooks",
        folder / "new",
    ):
        result = run(folder, out)
        assert result.exit_code and str(out).split("/")[-1] in result.output, result.output
        assert "Executing" not in result.output and "lesson(s)" not in result.output
    assert [p.name for p in folder.iterdir()] == ["00_first.ipynb"]
    assert (folder / "00_first.ipynb").read_bytes() == before


def test_a_notebook_that_colab_saved_is_read_like_any_other(tmp_path):
    """Format 4.5, valid; each cell has an id of its own; what cannot be shown is left out."""
    path = as_colab_saves(write_lesson(tmp_path, "00_first", "1", "2"))
    raw = json.loads(path.read_text(encoding="utf-8"))
    for minor, ids in (0, [None] * 4), (5, [None, "a", "a", "b"]):
        raw["nbformat_minor"] = minor
        for cell, name in zip(raw["cells"], ids, strict=True):
            cell |= {"id": name} if name else {}
        path.write_bytes(b"\xef\xbb\xbf" + json.dumps(raw).encode())
        notebook = notebooks.read_notebook(path)
        nbformat.validate(notebook)
        assert notebook.nbformat_minor == 5 and "widgets" not in notebook.metadata
        assert len({cell.id for cell in notebook.cells}) == 4
        assert [cell.source for cell in notebook.cells[2:]] == ["1", "2"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b" \n", "Expecting value"),
        (b'{"cells": [', "Expecting value"),
        (b"[" * 100_000, "recursion"),
        (b"<html>not found</html>", "Expecting value"),
        (b"[1]", "TypeError"),
        (b'{"cells": []}', "'nbformat'"),
        ('{"nbformat": 4}'.encode("utf-16"), "utf-8"),
        (b'{"nbformat": 3, "worksheets": []}', "format 3"),
        (b'{"nbformat": 5, "metadata": {}, "cells": []}', "format 5"),
        (b'{"nbformat": 4}', "'metadata'"),
        (b'{"nbformat": 4, "metadata": [], "cells": {}}', "TypeError"),
        (b'{"nbformat": 4, "metadata": {}, "cells": [{"source": "x"}]}', "metadata"),
        (
            b'{"nbformat": 4, "nbformat_minor": 4, "metadata": {}, '
            b'"cells": [{"cell_type": "cake", "metadata": {}, "source": ""}]}',
            "cake",
        ),
        (b" " * 2_000_000, "it has 2 MB"),
    ],
)
def test_what_is_not_a_notebook_is_told_with_its_name_and_the_reason(
    content, reason, monkeypatch, tmp_path
):
    """And left as it was, when it is to be tidied."""
    monkeypatch.setattr(notebooks, "MOST_FILE_BYTES", 1_000_000)
    path = tmp_path / "00_bad.ipynb"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"00_bad.ipynb is not a valid notebook .*{reason}"):
        notebooks.read_notebook(path)
    result = CliRunner().invoke(main, ["tidy", str(path)])
    assert result.exit_code == 1 and reason in result.output and "Traceback" not in result.output
    assert path.read_bytes() == content


def test_refresh_stores_outputs_without_noise(tmp_path, monkeypatch):
    """Outputs and counts stay; the traces of the execution go; cell ids do not change."""
    monkeypatch.setenv("VAE_COURSE_DATASET", "digits")
    path = write_lesson(tmp_path, "00_first", "print('out')")
    ids = [cell.id for cell in nbformat.read(path, as_version=4).cells]
    notebooks.refresh(path)
    notebook = nbformat.read(path, as_version=4)
    assert notebook.cells[2].outputs[0].text == "out\n"
    assert [c.execution_count for c in notebook.cells[1:]] == [1, 2]
    assert [cell.id for cell in notebook.cells] == ids
    text = path.read_text(encoding="utf-8")
    assert "papermill" not in text and '"execution":' not in text and "iopub" not in text
    assert not notebooks.tidy(path)


def test_a_notebook_without_a_kernel_of_its_own_runs(tmp_path):
    """Some programs leave it out."""
    path = write_lesson(tmp_path, "00_first", "print('out')")
    notebook = nbformat.read(path, as_version=4)
    del notebook.metadata["kernelspec"]
    nbformat.write(notebook, path)
    result = notebooks.execute(path, tmp_path.parent, {"dataset": "digits"})
    assert result.status == "ok", result.error


DAMAGE = ["{", "null", '{"00_first": []}', "[" * 100_000]
PAIRS = ['"x"', "1", "null", "{}", "[1]", "[1, 1, 1]", '["x", 1]', "[null, null]", '["NaN", 1]']
PAIRS += ["[NaN, 1]", "[Infinity, null]", "[1, NaN]", "[1, -1]", '[1, "x"]', "[1, []]"]
PAIRS += [f"[1{'0' * 400}, null]"]
DAMAGE += [f'{{"00_first": {{"MNIST": {part}}}}}' for part in ("[1]", "null", "7")]
DAMAGE += [f'{{"00_first": {{"MNIST": {{"loss": {pair}}}}}}}' for pair in PAIRS]


@pytest.mark.parametrize("text", DAMAGE)
def test_damaged_numbers_are_told_before_anything_runs(tmp_path, monkeypatch, text):
    """And if they are damaged meanwhile, what was executed is kept. The place in the file is named."""
    path, started = write_lesson(tmp_path, "00_first", RECORD), []
    (tmp_path / "numbers.json").write_text(text)
    monkeypatch.setattr(notebooks, "run_cells", lambda *_: started.append(1))
    result = notebooks.execute(path, tmp_path.parent, {})
    assert result.status == "FAILED" and "numbers.json is damaged" in result.error and not started
    named = [name for name in ("00_first", "MNIST", "loss") if name in text]
    assert " / ".join(named) in result.error and "make refresh" in result.error
    assert notebooks.stored(path, tmp_path.parent, tmp_path).error == result.error
    with pytest.raises(ValueError, match="numbers.json is damaged"):
        notebooks.refresh(path)
    assert not started
    damage = lambda *_: (tmp_path / "numbers.json").write_text(text)  # noqa: E731
    monkeypatch.setattr(notebooks, "run_cells", damage)
    (tmp_path / "numbers.json").write_text("{}")
    data = {lesson.MIME_TYPE: {"dataset": "MNIST", "numbers": []}}
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[2].outputs = [nbformat.v4.new_output("display_data", data)]
    nbformat.write(notebook, path)
    result = notebooks.execute(path, tmp_path.parent, {})
    assert result.status == "FAILED" and (tmp_path.parent / "00_first.ipynb").exists()


def test_only_the_courses_own_lessons_change_its_readme_and_picture(tmp_path, monkeypatch):
    """Not those that somebody else refreshes elsewhere."""
    folder, picture = tmp_path / "notebooks", tmp_path / "picture.png"
    folder.mkdir()
    path = write_lesson(folder, "00_first", FIGURE)
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[2].metadata["tags"] = ["readme-picture"]
    notebook.cells[2].outputs = [nbformat.v4.new_output("display_data", {"image/png": ""})]
    nbformat.write(notebook, path)
    cited_numbers.keep(folder, "00_first", {"dataset": "MNIST", "numbers": {"loss": [2.5, None]}})
    (tmp_path / "README.md").write_text("9<!--00.loss-->")
    monkeypatch.setattr(notebooks, "run_cells", lambda *_: None)
    monkeypatch.setattr(notebooks, "README_PICTURE", picture)
    for own in (False, True):
        if own:
            monkeypatch.setattr(notebooks, "LESSONS", folder.resolve())
        notebooks.refresh(path)
        notebooks.cite(folder)
        assert picture.exists() == own
        assert (tmp_path / "README.md").read_text() == f"{2 if own else 9}<!--00.loss-->"


def test_outputs_that_do_not_come_are_not_taken_for_a_cell_that_does_not_end(tmp_path, monkeypatch):
    """The reason is another, and so are the seconds."""

    def late(client, cell, *_, **__):
        message = "Timeout waiting for IOPub output"
        raise CellTimeoutError.error_from_timeout_and_cell(message, client.iopub_timeout, cell)

    monkeypatch.setattr(NotebookClient, "execute_cell", late)
    path = write_lesson(tmp_path, "00_first", "1")
    result = notebooks.execute(path, tmp_path.parent, {})
    assert "it ended, but its output had not come after 60 seconds" in result.error


def test_refresh_keeps_numbers_of_both_data_sets_and_corrects_what_cites_them(
    tmp_path, monkeypatch
):
    """In the lesson and in the guides beside the folder of lessons."""
    monkeypatch.setattr(notebooks, "LESSONS", (tmp_path / "notebooks").resolve())
    folder = tmp_path / "notebooks"
    folder.mkdir()
    source = "from vae_course.lesson import record\n"
    source += "known = {'digits': 'embedded digits'}\n"
    source += "record(known.get(dataset, 'MNIST'), loss=2.5 if dataset == 'digits' else 1.5)"
    path = write_lesson(folder, "00_first", source)
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_markdown_cell("9.9<!--loss--> and 9.9<!--loss@digits-->"))
    nbformat.write(notebook, path)
    (tmp_path / "README.md").write_text("It is 9<!--00.loss@digits-->.", encoding="utf-8")
    result = CliRunner().invoke(main, ["refresh", "--notebooks", str(folder)])
    assert result.exit_code == 0, result.output
    assert cited_numbers.read(folder) == {
        "00_first": {"MNIST": {"loss": [1.5, None]}, "embedded digits": {"loss": [2.5, None]}}
    }
    text = nbformat.read(path, as_version=4).cells[-1].source
    assert text == "1.5<!--loss--> and 2.5<!--loss@digits-->"
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == "It is 2<!--00.loss@digits-->."


def test_refresh_leaves_a_failing_lesson_as_it_was(tmp_path):
    """No half-executed notebook is stored, nothing is left lying about, and the cell is told."""
    path = write_lesson(tmp_path, "00_bad", "1 / 0")
    before = path.read_bytes()
    result = CliRunner().invoke(main, ["refresh", "--notebooks", str(tmp_path)])
    assert (
        result.exit_code == 1 and "is unchanged: cell 3 (1 / 0): ZeroDivisionError" in result.output
    )
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["00_bad.ipynb"]


def test_tidy_removes_widget_state_and_times_and_says_so(tmp_path):
    """The command ends with 1 when it changed something, as pre-commit expects, then with 0."""
    path = as_colab_saves(write_lesson(tmp_path, "00_noisy", "1"))
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata["papermill"] = {"duration": 3}
    notebook.metadata["language_info"] = {"name": "python", "version": "3.12.1"}
    notebook.cells[1].metadata["execution"] = {"iopub.execute_input": "2024"}
    notebook.cells[2].outputs = [nbformat.v4.new_output("stream", text=text) for text in "ab"]
    nbformat.write(notebook, path)
    first = CliRunner().invoke(main, ["tidy", str(path)])
    assert first.exit_code == 1 and "00_noisy" in first.output
    tidied = nbformat.read(path, as_version=4)
    assert tidied.metadata.keys() == {"kernelspec", "language_info"}
    assert tidied.metadata.language_info == {"name": "python"}
    assert [c.metadata for c in tidied.cells] == [{}, {"tags": ["parameters"]}, {}]
    assert [o.text for o in tidied.cells[2].outputs] == ["ab"]
    assert CliRunner().invoke(main, ["tidy", str(path)]).exit_code == 0


def test_an_explorer_is_live_on_the_page_of_a_run_but_not_in_the_stored_lesson(tmp_path):
    """The executed notebook keeps what decks need; in the course's own files weights would take megabytes."""
    source = "from vae_course.explorers import KLExplorer\n\nKLExplorer()"
    path = write_lesson(tmp_path, "00_first", source)
    out = tmp_path.with_name("out")
    result = run(path.parent, out)
    assert result.exit_code == 0, result.output
    page = (out / "00_first.html").read_text(encoding="utf-8")
    assert '<figure class="vae-course-still"><img alt="Three choices of q' in page
    executed = out / "00_first.ipynb"
    assert nbformat.read(executed, as_version=4).cells[-1].outputs[0].data[EXPLORER]
    assert notebooks.tidy(executed)
    (output,) = nbformat.read(executed, as_version=4).cells[-1].outputs
    assert set(output.data) == {"image/png", "text/plain"}
