"""Numbers that texts cite: marks, what they show, and what counts as a difference."""

import nbformat
import pytest

from vae_course import lesson
from vae_course.teaching import cited_numbers, slides
from vae_course.teaching.deck import slides_of

NUMBERS = {
    "01_first": {
        "MNIST": {"gap": [0.7512, 0.02], "holds": [True, None], "tiny": [1.31e-15, None]},
        "embedded digits": {"gap": [0.9049, 0.03], "holds": [True, None]},
    },
    "05_vae": {"MNIST": {"loss": [27.0176, 0.034], "images": [12345.0, None], "low": [-4.4, 1]}},
}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("It is 0.99<!--gap--> there.", "It is 0.75<!--gap--> there."),
        ("It is 0.9<!--gap--> there.", "It is 0.8<!--gap--> there."),
        ("1 %<!--gap-->, 2%<!--gap-->", "75 %<!--gap-->, 75%<!--gap-->"),
        ("1.0 %<!--gap-->", "75.1 %<!--gap-->"),
        ("**1.0**<!--gap-->", "**0.8**<!--gap-->"),
        ("0.1<!--gap@digits-->, 0.1<!--gap@mnist-->", "0.9<!--gap@digits-->, 0.8<!--gap@mnist-->"),
        ("loss 1.00<!--05.loss-->", "loss 27.02<!--05.loss-->"),
        ("1,000<!--05.images--> images", "12,345<!--05.images--> images"),
        ("1000<!--05.images--> images", "12345<!--05.images--> images"),
        ("-1.0<!--05.low--> and −1.0<!--05.low-->", "-4.4<!--05.low--> and −4.4<!--05.low-->"),
        ("5e-9<!--tiny-->", "1e-15<!--tiny-->"),
        ("1<!--unknown-->, 2<!--09.loss-->", "1<!--unknown-->, 2<!--09.loss-->"),
    ],
)
def test_a_marked_number_is_corrected_to_as_many_places_as_it_has(old, new):
    """In the form it was written in; what nobody recorded stays."""
    assert cited_numbers.cite(old, NUMBERS, "01_first") == new


def test_texts_cite_the_data_set_that_was_run():
    """Marks that name a data set stay with it."""
    text = "0.1<!--gap--> and 0.1<!--gap@mnist-->"
    cited = cited_numbers.cite(text, NUMBERS, "01_first", "embedded digits")
    assert cited == "0.9<!--gap--> and 0.8<!--gap@mnist-->"


def test_an_unknown_data_set_is_not_taken_for_another():
    """Nothing is cited."""
    text = "0.1<!--gap@fashion-->"
    assert cited_numbers.cite(text, {"01_a": {"MNIST": {"gap": [0.8, None]}}}, "01_a") == text


def test_a_slide_that_is_a_text_is_refused_and_kept():
    """Its letters are not taken for lines, neither here nor in a deck."""
    cell = nbformat.v4.new_markdown_cell("# A", metadata={"slide": "One line."})
    cell.metadata["slideshow"] = {"slide_type": "slide"}
    notebook = nbformat.v4.new_notebook(cells=[cell])
    with pytest.raises(ValueError, match=f"cell {cell.id}: .*must be a list of lines"):
        cited_numbers.cite_notebook(notebook, {}, "01_a", "MNIST")
    with pytest.raises(ValueError, match=f"cell {cell.id}: .*must be a list of lines"):
        slides_of(notebook)
    assert cell.metadata.slide == "One line."


def test_slides_and_texts_of_a_notebook_are_corrected():
    """Code is not."""
    cells = [
        nbformat.v4.new_markdown_cell("0.1<!--gap-->", metadata={"slide": ["a", "9 %<!--gap-->"]}),
        nbformat.v4.new_code_cell("x = '0.1<!--gap-->'", metadata={"slide": ["0.2<!--gap-->"]}),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    cited_numbers.cite_notebook(notebook, NUMBERS, "01_first", "MNIST")
    assert notebook.cells[0].source == "0.8<!--gap-->"
    assert notebook.cells[0].metadata.slide == ["a", "75 %<!--gap-->"]
    assert notebook.cells[1].source == "x = '0.1<!--gap-->'"
    assert notebook.cells[1].metadata.slide == ["0.8<!--gap-->"]


def test_the_table_has_every_number_on_both_data_sets():
    """What was measured on one alone has an empty place."""
    text = "<!--numbers-->\nwhat was\n<!--/numbers-->\n\nAfter."
    table = cited_numbers.cite(text, NUMBERS, "01_first")
    assert "| |MNIST|embedded digits|" in table
    assert "|gap|0.7512 ± 0.02|0.9049 ± 0.03|" in table
    assert "|holds|yes|yes|" in table and "|tiny|1.31e-15||" in table
    assert "what was" not in table and table.endswith("<!--/numbers-->\n\nAfter.")
    assert cited_numbers.cite(table, NUMBERS, "01_first") == table


def test_numbers_that_are_kept_are_read_again(tmp_path):
    """One lesson and data set at a time, the others as they were."""
    for name, datasets in NUMBERS.items():
        for dataset, numbers in datasets.items():
            cited_numbers.keep(tmp_path, name, {"dataset": dataset, "numbers": numbers})
    assert cited_numbers.read(tmp_path) == NUMBERS
    new = {"dataset": "MNIST", "numbers": {"gap": [0.5, None]}}
    cited_numbers.keep(tmp_path, "01_first", new)
    changed = cited_numbers.read(tmp_path)
    assert changed["01_first"]["MNIST"] == {"gap": [0.5, None]}
    assert changed["05_vae"] == NUMBERS["05_vae"]


def test_a_damaged_file_is_named(tmp_path):
    """With the cure."""
    assert cited_numbers.read(tmp_path) == {}
    (tmp_path / "numbers.json").write_text("[1")
    with pytest.raises(ValueError, match=r"numbers.json is damaged .*make refresh"):
        cited_numbers.read(tmp_path)


def test_numbers_that_are_recorded_are_found_again(execute):
    """Six digits, in order, from all cells, with scatter and data set; claims, too; as text and as HTML."""
    notebook = execute(
        "from vae_course.lesson import record\nimport numpy as np",
        "record('MNIST', loss=28.2170208, kl=(np.float32(11), 0.5), better=np.True_)",
        "record('MNIST', later=2)",
    )
    assert cited_numbers.recorded(notebook) == {
        "dataset": "MNIST",
        "numbers": {
            "loss": [28.217, None],
            "kl": [11.0, 0.5],
            "better": [True, None],
            "later": [2.0, None],
        },
    }
    data = notebook.cells[1].outputs[0].data
    for shown in "28.217", "11 ± 0.5", "yes":
        assert shown in data["text/plain"] and shown in data["text/html"]


def test_a_notebook_without_numbers_has_none():
    """No invented record."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("")])
    assert cited_numbers.recorded(notebook) is None


@pytest.mark.parametrize(
    "bundle",
    [
        [1],
        {"dataset": "MNIST"},
        {"numbers": [["loss", 1, None]]},
        {"dataset": "MNIST", "numbers": [1]},
        {"dataset": "MNIST", "numbers": [["loss", 1]]},
        {"dataset": "MNIST", "numbers": [["loss", "x", None]]},
    ],
)
def test_a_damaged_record_in_a_notebook_is_told(bundle):
    """With the cure."""
    output = nbformat.v4.new_output("display_data", {lesson.MIME_TYPE: bundle})
    cells = [nbformat.v4.new_code_cell("record()", outputs=[output])]
    with pytest.raises(ValueError, match=r"recorded is damaged \(.*execute it again"):
        cited_numbers.recorded(nbformat.v4.new_notebook(cells=cells))


BAD = [float("nan"), float("inf"), "28", None, (1, 2, 3), (1, -1), (1, float("nan")), ("1", 1), [1]]


@pytest.mark.parametrize("value", BAD)
def test_what_is_no_finite_number_is_not_recorded(value):
    """The error names the number and its value."""
    with pytest.raises(ValueError, match="loss="):
        lesson.record("MNIST", loss=value)


@pytest.mark.parametrize(
    ("expected", "found", "differs"),
    [
        ((27.0, 0.03), (27.9, 0.03), False),  # machines
        ((27.0, 0.03), (28.6, 0.03), True),
        ((0.10, 0.02), (0.16, 0.02), False),  # chance
        ((0.10, 0.02), (0.20, None), True),
        ((0.10, None), (0.20, 0.05), False),
        ((0.0, None), (1e-12, None), False),
        ((True, None), (True, None), False),
        ((True, None), (False, None), True),
        ((True, None), (1.0, None), True),
    ],
)
def test_what_differs_by_more_than_machines_and_chance_is_named(expected, found, differs):
    """A claim has to hold, a number to lie within 5 % and four times its scatter."""
    names = cited_numbers.differences(
        {"a": expected, "gone": (1, None)}, {"a": found, "new": (1, 1)}
    )
    assert names == ["a"] * differs


def test_a_deck_cites_what_its_own_notebook_recorded(tmp_path):
    """A lesson that was run on the embedded digits shows their numbers, on slides and in the notes."""
    kinds = [{"slideshow": {"slide_type": kind}} for kind in ("slide", "-")]
    data = {
        lesson.MIME_TYPE: {"dataset": "embedded digits", "numbers": [["gap", 0.9049, 0.03]]},
        "text/plain": "gap",
    }
    text = "## A gap\n\nIt is 0.75<!--gap-->."
    cells = [
        nbformat.v4.new_markdown_cell(
            text, metadata=kinds[0] | {"slide": ["## A gap", "1 %<!--gap-->"]}
        ),
        nbformat.v4.new_code_cell(
            "record()",
            execution_count=1,
            metadata=kinds[1],
            outputs=[nbformat.v4.new_output("display_data", data=data)],
        ),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "01_first.ipynb")
    (tmp_path / "decks").mkdir()
    (deck,) = slides.build([tmp_path / "01_first.ipynb"], tmp_path / "decks")
    assert not deck.error
    html = (tmp_path / "decks" / "01_first.html").read_text(encoding="utf-8")
    assert "90 %<!--gap-->" in html and "0.90<!--gap-->" in html and "0.75" not in html
