"""Executing lessons: good ones, failing ones, their pages, index and table."""

import nbformat
import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner

from vae_course.cli import main
from vae_course.teaching import notebooks
from vae_course.teaching.pages import write_page

RECORD = "from vae_course.lesson import record\nrecord(dataset, loss=1.5, kl=2)"


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


@pytest.fixture
def lessons(tmp_path):
    """Give a folder of three lessons, of which the middle one fails in its third cell."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    write_lesson(folder, "00_first", RECORD)
    write_lesson(folder, "01_broken", "1 / 0", "print('never seen')")
    write_lesson(folder, "02_last", "print('it went on')", RECORD)
    return folder


def run(lessons, tmp_path, *args):
    """Call `vae-course run` on the lessons with the embedded digits."""
    out = tmp_path / "out"
    options = ["run", "--dataset", "digits", "--notebooks", str(lessons), "--out", str(out), *args]
    return CliRunner().invoke(main, options), out


def test_one_failing_lesson_stops_no_other_and_is_named_last(lessons, tmp_path):
    """Non-zero exit; the failed notebook is kept with its traceback; the last lines say why."""
    result, out = run(lessons, tmp_path)
    assert result.exit_code == 1
    assert sorted(p.name for p in out.iterdir()) == sorted(
        [f"{n}.{e}" for n in ("00_first", "01_broken", "02_last") for e in ("html", "ipynb")]
        + ["index.html"]
    )
    last = result.output.strip().splitlines()[-2:]
    assert "FAILED 01_broken" in last[0] and "01_broken.ipynb" in last[0]
    assert "ZeroDivisionError: division by zero" in last[1] and "1 / 0" in last[1]
    kept = nbformat.read(out / "01_broken.ipynb", as_version=4)
    assert any(o.output_type == "error" for c in kept.cells for o in c.get("outputs", []))
    assert "ZeroDivisionError" in (out / "01_broken.html").read_text(encoding="utf-8")
    assert "it went on" in (out / "02_last.html").read_text(encoding="utf-8")


def test_the_cell_that_is_named_is_the_cell_of_the_lesson(lessons, tmp_path):
    """It is counted in the lesson as its reader sees it, not with the cell papermill injects."""
    result, _ = run(lessons, tmp_path, "01")
    assert "cell 3" in result.output.strip().splitlines()[-1]


def test_the_table_and_the_index_tell_data_set_seconds_status_and_numbers(lessons, tmp_path):
    """Every lesson has its line in both."""
    result, out = run(lessons, tmp_path)
    lines = [line for line in result.output.splitlines() if line.startswith("00_first ")]
    assert "digits" in lines[-1] and "ok" in lines[-1] and "loss 1.5, kl 2" in lines[-1]
    index = (out / "index.html").read_text(encoding="utf-8")
    for text in (
        "Title of 00_first",
        "FAILED",
        "ZeroDivisionError",
        "loss 1.5, kl 2",
        "02_last.html",
    ):
        assert text in index


def test_figures_keep_their_alternative_text_in_the_page(tmp_path):
    """A reader who cannot see the figure is told what there is to see; quotes do not break it."""
    write_lesson(
        tmp_path,
        "00_figure",
        "import matplotlib.pyplot as plt\nfrom vae_course import plotting",
        """plotting.show(plt.figure(), 'A line "up" that is < 5 long.')""",
    )
    _, out = run(tmp_path, tmp_path)
    page = (out / "00_figure.html").read_text(encoding="utf-8")
    texts = [image.get("alt") for image in BeautifulSoup(page, "html.parser").find_all("img")]
    assert texts == ['A line "up" that is < 5 long.']


def test_links_between_lessons_lead_to_pages(tmp_path):
    """In a page, a link to another lesson opens its page; other links stay."""
    links = "[one](01_next.ipynb), [paper](https://arxiv.org/abs/1312.6114), [x](data.ipynb)"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(links)])
    write_page(notebook, tmp_path / "page.html", "a page")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    found = [link["href"] for link in BeautifulSoup(page, "html.parser").find("main").find_all("a")]
    assert found == ["01_next.html", "https://arxiv.org/abs/1312.6114", "data.ipynb"]
    assert notebook.cells[0].source == links


def test_all_lessons_well_means_exit_status_zero(lessons, tmp_path):
    """A choice of lessons by their number leaves the broken one out."""
    result, out = run(lessons, tmp_path, "00", "02")
    assert result.exit_code == 0, result.output
    assert not (out / "01_broken.ipynb").exists()


def test_a_lesson_whose_kernel_dies_is_reported_like_any_other(tmp_path):
    """No traceback of ours: a line that says what happened."""
    write_lesson(tmp_path, "00_dies", "import os; os._exit(3)")
    result, _ = run(tmp_path, tmp_path)
    assert result.exit_code == 1
    assert "DeadKernelError" in result.output.strip().splitlines()[-1]


def test_what_is_no_notebook_is_reported_like_any_other(lessons, tmp_path):
    """A half-written file fails alone, and what an earlier run left is not taken for its result."""
    (tmp_path / "out").mkdir()
    write_lesson(tmp_path / "out", "01_broken", "print('from yesterday')")
    (lessons / "01_broken.ipynb").write_text('{"cells": [')
    result, out = run(lessons, tmp_path)
    assert result.exit_code == 1
    assert "FAILED 01_broken" in result.output
    assert (out / "02_last.html").exists()
    assert not (out / "01_broken.ipynb").exists()


def test_parameters_pass_through_where_a_lesson_has_them(lessons, tmp_path):
    """The data set that was found, and whether to train anew; nothing a lesson does not know."""
    path = write_lesson(lessons, "03_full", RECORD, parameters="dataset = 0\nretrain = None")
    assert notebooks.known_parameters(path, {"retrain": 1, "other": 2}) == {"retrain": 1}
    _, out = run(lessons, tmp_path, "00", "03", "--profile", "full")
    injected = [
        {
            line
            for c in nbformat.read(out / f"{name}.ipynb", 4).cells
            for line in c.source.splitlines()
        }
        for name in ("00_first", "03_full")
    ]
    assert 'dataset = "digits"' in injected[0] & injected[1]
    assert "retrain = True" in injected[1] - injected[0]


@pytest.mark.parametrize("names", [(), ("07",)])
def test_lessons_that_do_not_exist_are_refused(names, lessons, tmp_path):
    """An empty folder, or a number that no lesson has: the error names what is there."""
    folder = lessons if names else tmp_path
    with pytest.raises(FileNotFoundError, match="07.*holds 00_first" if names else "no lesson"):
        notebooks.find_lessons(folder, names)
    result, _ = run(folder, tmp_path, *names)
    assert result.exit_code == 1 and "Error: There is no lesson" in result.output


def test_an_unwritable_output_folder_is_refused_before_anything_runs(lessons, tmp_path):
    """A file stands where the folder should be: the error names it."""
    (tmp_path / "out").write_text("a file")
    result, _ = run(lessons, tmp_path)
    assert result.exit_code != 0 and "out" in result.output and "Traceback" not in result.output


def test_refresh_stores_outputs_without_noise(tmp_path, monkeypatch):
    """Outputs and counts stay; papermill's and the kernel's traces go; cell ids do not change."""
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


def test_refresh_leaves_a_failing_lesson_as_it_was(tmp_path):
    """No half-executed notebook is stored, and nothing is left lying about."""
    path = write_lesson(tmp_path, "00_bad", "1 / 0")
    before = path.read_bytes()
    with pytest.raises(Exception, match="ZeroDivisionError"):
        notebooks.refresh(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["00_bad.ipynb"]


def test_tidy_removes_widget_state_and_times_and_says_so(tmp_path):
    """The command ends with 1 when it changed something, as pre-commit expects, then with 0."""
    path = write_lesson(tmp_path, "00_noisy", "1")
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata["widgets"] = {"state": {}}
    notebook.metadata["papermill"] = {"duration": 3}
    notebook.cells[1].metadata["execution"] = {"iopub.execute_input": "2024"}
    nbformat.write(notebook, path)
    first = CliRunner().invoke(main, ["tidy", str(path)])
    assert first.exit_code == 1 and "00_noisy" in first.output
    text = path.read_text(encoding="utf-8")
    assert "widgets" not in text and "papermill" not in text and "iopub" not in text
    assert CliRunner().invoke(main, ["tidy", str(path)]).exit_code == 0
