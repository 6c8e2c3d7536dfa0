"""What lies in a folder or a zip is found, whatever learning platform or system has named it."""

import os
import zipfile

import nbformat
import pytest
import small

from vae_course.grading import clean, grade, handed_in

EXERCISES = ["ex01_first", "ex02_second"]
NAMES = {
    "ada/ex01_first.ipynb": ("ada", "ex01_first"),
    "ada/deep/er/ex01_first (2).ipynb": ("ada", "ex01_first"),
    "Ada King_99_assignsubmission_file_/ex01_first.ipynb": ("Ada King", "ex01_first"),
    "Ada King_99_assignsubmission_file_ex01_first.ipynb": ("Ada King", "ex01_first"),
    "kingada_12_345_ex01_first-3.ipynb": ("kingada", "ex01_first"),
    "kingada_LATE_12_345_ex01_first.ipynb": ("kingada", "ex01_first"),
    "ex02_second_ada.ipynb": ("ada", "ex02_second"),
    "ada-ex02_second (1).ipynb": ("ada", "ex02_second"),
    "O'Neil, [x] Bo/mine.ipynb": ("O'Neil_ _x_ Bo", "mine"),
    "Zoe\u0308/ex01_first.ipynb": ("Zo\u00eb", "ex01_first"),
}


def put(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")


@pytest.mark.parametrize("name", NAMES)
def test_student_and_exercise_are_read_from_names(name, tmp_path):
    """In a folder, and in a zip of it."""
    put(tmp_path / "in", name)
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.write(tmp_path / "in" / name, name)
    for source in (tmp_path / "in", tmp_path / "in.zip"):
        (one,) = handed_in.find(source, tmp_path / "unpacked", EXERCISES)
        assert (one.student, one.exercise) == NAMES[name] and not one.told


def test_what_nobody_meant_is_passed_over(tmp_path):
    """Checkpoints, lessons, what systems leave behind, environments, links, other students' files."""
    put(
        tmp_path / "in",
        "ada/.ipynb_checkpoints/ex01_first.ipynb",
        "ada/__MACOSX/._ex01_first.ipynb",
    )
    put(
        tmp_path / "in",
        "__MACOSX/ex01_first.ipynb",
        ".DS_Store",
        "ada/01_lesson.ipynb",
        "ada/venv/x.py",
    )
    put(tmp_path / "in", "ada/ex01_first.ipynb", "ada/Thumbs.db", "ada/data/x.txt", "bo/y.txt")
    (tmp_path / "secret").mkdir()
    put(tmp_path / "secret", "z.ipynb")
    (tmp_path / "in" / "ada" / "folder").symlink_to(tmp_path / "secret")
    (tmp_path / "in" / "eve").symlink_to(tmp_path / "secret")
    ada, bo, eve = handed_in.find(tmp_path / "in", tmp_path / "unpacked", EXERCISES)
    assert ada.path.name == "ex01_first.ipynb" and list(ada.beside) == ["data/x.txt"]
    assert "no notebook" in bo.problem and "eve is a link" in eve.problem
    assert ada.told[0] == "a folder venv beside it was left out"


def test_what_pictures_are_loaded_from_is_there(tmp_path):
    """Also names as cameras give them; a run knows its pictures by their number and order."""
    names = ["pictures/_DSC1234.JPG", "pictures/_more/2.png", "pictures/3.png"]
    put(tmp_path / "in", *(f"ada/{name}" for name in ["ex01_first.ipynb", *names]))
    with zipfile.ZipFile(tmp_path / "in" / "bo.zip", "w") as archive:
        for name in ("ex01_first.ipynb", *names):
            archive.write(tmp_path / "in" / "ada" / name, name)
    for one in handed_in.find(tmp_path / "in", tmp_path / "unpacked", EXERCISES):
        assert sorted(one.beside) == sorted(names) and not one.told


@pytest.mark.parametrize("flat", [False, True])
def test_a_zip_without_a_notebook_is_one_of_the_files_beside(flat, tmp_path):
    """It is told, and a zip with a notebook is unpacked as before."""
    folder = tmp_path / "in" if flat else tmp_path / "in" / "ada"
    platform = "ada_7_assignsubmission_file_" if flat else ""
    put(folder, f"{platform}ex01_first.ipynb")
    for name, member in {"data.zip": "01_lesson.ipynb", "work.zip": "old/ex01_first.ipynb"}.items():
        with zipfile.ZipFile(folder / f"{platform}{name}", "w") as archive:
            archive.writestr(member, "{}")
    found = handed_in.find(tmp_path / "in", tmp_path / "unpacked", EXERCISES)
    one, other = sorted(found, key=lambda one: "unpacked" in one.path.parts)
    assert list(one.beside) == ["data.zip"] and "data.zip holds no notebook" in one.told[0]
    assert one.student == other.student == "ada" and not other.beside


SETUP = "from vae_course import exercises, plotting\nfrom vae_course.models import VAE\n"


def notes(setup="", **answers):
    """Return what the instructor is told of a submission with these sources of cells."""
    release = small.exercise(small.FIRST)
    cells = {cell.id: cell for cell in release.cells}
    cells["setup"].source += f"\n{SETUP}"
    release.cells.append(nbformat.v4.new_markdown_cell("Train a `VAE`.", id="text"))
    handed = [
        {"cell_type": c.cell_type, "source": answers.get(c.id, c.source), "grade_id": c.id}
        for c in release.cells
    ]
    own = {"cell_type": "code", "source": setup, "grade_id": None}
    handed = [{"id": None, "attachments": None, **cell} for cell in [handed[0], own, *handed[1:]]]
    return clean.clean(handed, release)[1]


@pytest.mark.parametrize(
    ("setup", "answer", "note"),
    [
        ("", "x = vae_course.latent.lerp(1)", "answer uses 'vae_course'"),
        (
            "from vae_course import latent",
            "x = latent.lerp(1)",
            "answer uses 'latent' of vae_course",
        ),
        ("import vae_course.latent as la", "x = la.lerp(1)", "answer uses 'la' of vae_course"),
        (
            "from vae_course.latent import lerp as f",
            "%time\nx = f(1)",
            "answer uses 'f' of vae_course",
        ),
        (
            "from vae_course.latent import *",
            "x = lerp(1)",
            "which contains 'from vae_course.latent import",
        ),
        ("if 1:\n    from vae_course import latent", "x = latent", "answer uses 'latent'"),
        ("from vae_course import latent", "x = 1  # latent\nlatent_dim = x.latent", ""),
        ("from vae_course import latent\nx = latent.lerp(1)", "x = 1", ""),
        ("", "x = VAE(1)\nplotting.show(x)", ""),
        ("def f(:", "x = (", ""),
        ("'\\d'\n" + "+".join(9000 * ["1"]), "x = " + "(" * 500 + ")" * 500, ""),
    ],
)
def test_what_an_answer_borrows_is_told(setup, answer, note):
    """By whatever name any cell has imported it; what the task itself proposes may be used."""
    told = notes(setup, x=answer)
    assert any(note in line for line in told) if note else not told


@pytest.mark.parametrize(
    ("setup", "answer", "is_told"),
    [
        ("", "def my_measure(images):\n    return my_vae.encoder(images)[0] @ my_vector", True),
        ("e = my_vae.encoder", "my_measure = lambda images: e(images)[0]", True),
        (
            "def f(x):\n    return my_vae(x)\ng = f",
            "def my_measure(images):\n    return g(images)",
            True,
        ),
        ("", "if 1:\n    v = my_vae.codes\ndef my_measure(images):\n    return images @ v", True),
        (
            "class M:\n    def __call__(self, x):\n        return my_vae(x)",
            "my_measure = M()",
            True,
        ),
        ("z = my_vae(1)", "def my_measure(images):\n    z = images.mean()\n    return z", False),
        ("", "def f(x):\n    return x\nmy_measure, my_vector = f, my_vae(1)", False),
        ("", "def my_measure(images):\n    return 1\nmy_vector = my_measure(my_vae(1))", False),
    ],
)
def test_a_measure_that_asks_the_model_is_told(setup, answer, is_told):
    """Directly, or by what was computed with it."""
    assert any("uses my_vae" in line for line in notes(setup, x=answer)) == is_told


def test_a_zip_writes_only_where_it_should(tmp_path):
    """Neither a path nor a link leads out of it, and a bomb is not unpacked."""
    link = zipfile.ZipInfo("link")
    link.external_attr = 0xA1FF << 16
    for name, members in {
        "ada.zip": {"../../out.ipynb": "{}", "/abs/ex01_first.ipynb": "{}", link: "/etc/passwd"},
        "bo.zip": {
            "large.bin": b"\0" * (handed_in.MOST_BYTES + 1),
            "ex01_first.ipynb": "{}",
        },
    }.items():
        (tmp_path / "in").mkdir(exist_ok=True)
        with zipfile.ZipFile(tmp_path / "in" / name, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in members.items():
                archive.writestr(member, content)
    found = handed_in.find(tmp_path / "in", tmp_path / "unpacked", EXERCISES)
    assert {one.path and one.path.name for one in found} == {"ex01_first.ipynb", None}
    assert "unpacked, it has 300 MB" in found[-1].problem
    assert {path.name for path in tmp_path.iterdir()} == {"in", "unpacked"}
    assert not [path for path in (tmp_path / "unpacked").rglob("*") if path.is_symlink()]


def test_two_students_of_the_same_name_stay_two(tmp_path):
    """The platform's numbers tell them apart; attempts of one of them have the same number."""
    names = [
        f"Bo Li_{n}_assignsubmission_file_ex01_first{m}.ipynb"
        for n, m in ((7, ""), (8, ""), (8, "-2"))
    ]
    put(tmp_path / "in", *names)
    found = handed_in.find(tmp_path / "in", tmp_path / "unpacked", EXERCISES)
    tasks = [(grade._row(one), one, []) for one in found]
    grade._keep_last_attempts(tasks)
    told = sorted((row["student"], row["problem"].partition(",")[0]) for row, _, _ in tasks)
    assert told == [("Bo Li (7)", ""), ("Bo Li (8)", ""), ("Bo Li (8)", "an earlier attempt")]


def test_what_nbgrader_collected_keeps_its_names(tmp_path):
    """The form grader looks for these students, whatever a hub lets them be called."""
    names = ["Bo_7_assignsubmission_file", "_ada-", "li&co"]
    put(tmp_path / "in", *(f"{name}/ex01_first/ex01_first.ipynb" for name in names))
    put(tmp_path / "in", ".ipynb_checkpoints/ex01_first.ipynb")
    found = handed_in.find(tmp_path / "in", tmp_path / "unpacked", EXERCISES, collected=True)
    assert [one.student for one in found] == names


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"cells": 3}',
        '{"cells": [3]}',
        '{"cells": [{"source": [1]}]}',
        "[" * 10_000,
        "\0",
    ],
    ids=["empty", "list", "number", "cell", "source", "deep", "binary"],
)
def test_what_is_no_notebook_is_told(content, tmp_path):
    """With what to do about it."""
    (tmp_path / "x.ipynb").write_text(content)
    with pytest.raises(ValueError, match="damaged or no notebook .*ask for another copy"):
        clean.read(tmp_path / "x.ipynb")


def test_links_and_giants_are_not_read(tmp_path):
    """Whatever they hold."""
    (tmp_path / "x.ipynb").write_text("{}")
    (tmp_path / "y.ipynb").symlink_to(tmp_path / "x.ipynb")
    os.truncate(tmp_path / "x.ipynb", 200_000_000)
    with pytest.raises(ValueError, match="it has 200 MB"):
        clean.read(tmp_path / "x.ipynb")
    with pytest.raises(ValueError, match="it is a link"):
        clean.read(tmp_path / "y.ipynb")


def test_nothing_runs_in_the_browser_of_who_reads_it():
    """Scripts and handlers are gone from outputs and texts, and what is harmless stays as it was."""
    table = "<table><caption>Key numbers</caption><tr><td>1</td></tr></table>"
    html = f"<b onclick='steal()'>bold</b><script>steal()</script>{table}"
    outputs = [
        nbformat.v4.new_output("display_data", {"text/html": html, "image/png": "aGk="}),
        nbformat.v4.new_output("display_data", {"application/javascript": "steal()"}),
        nbformat.v4.new_output("stream", name="stdout", text="a < b & c"),
    ]
    code = nbformat.v4.new_code_cell("x = '<script>'", outputs=outputs)
    texts = [nbformat.v4.new_markdown_cell(text) for text in (html, "$a < b$ & c")]
    notebook = nbformat.v4.new_notebook(cells=[code, *texts])
    clean.remove_scripts(notebook)
    shown = nbformat.writes(nbformat.v4.new_notebook(cells=[*notebook.cells]))
    assert "onclick" not in shown and "<script>steal" not in shown
    assert "javascript" not in shown and "<b>bold</b>" in shown
    assert (
        "<caption>Key numbers</caption><tbody><tr><td>1</td>" in code.outputs[0].data["text/html"]
    )
    assert code.outputs[0].data["image/png"] == "aGk=" and code.outputs[2].text == "a < b & c"
    assert texts[1].source == "$a < b$ & c" and code.source == "x = '<script>'"
