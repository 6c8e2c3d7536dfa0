"""Numbers in lessons, slides, README and TEACHING.md: each is marked with what measured it, or exact."""

import re

import pytest
from lessons import read
from pins import ROOT

from vae_course.teaching import cited_numbers

LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NUMBERS = cited_numbers.read(ROOT / "notebooks")
GUIDES = ("README.md", "TEACHING.md")
WORDS = "two three four five six seven eight nine ten twelve twenty hundred".split()
# What looks as if it had been measured: decimals, percentages, "N times".
DECIMAL, WHOLE = r"\d[\d,]*\.\d+", r"\d[\d,]*"
MEASURED = re.compile(
    rf"(?<![\w.,])[-−]?(?:{DECIMAL}(?![.\w])|{WHOLE}(?=\s?%)|(?:{WHOLE}|{'|'.join(WORDS)})(?= times\b))"
)
# Formulas stay: a number in one is as exact as any other. Code, addresses and tables of numbers do not.
NO_PROSE = re.compile(
    r"```.*?```|`[^`\n]*`|\]\([^)]*\)|https?://\S+|<!--numbers-->.*?<!--/numbers-->", re.DOTALL
)
# Numbers that no lesson measured: definitions, closed forms, what others have published.
EXACT = {
    # The deviation that goes with s^2 = 1/2; Bayes' rule worked out; a share that is never or always right.
    "00_start_here": {"0.71", "0.881", "50", "100"},
    # The number of pixels; the noise on the codes; what counts as near, and as inside; the length of a step.
    "01_autoencoder_latent_gaps": {"784", "0.3", "95", "20", "0.05"},
    # Worked examples: sigma = 0.5, a correlation of 0.8, a factor of 4; steps to try; a section of a book.
    "02_kl_divergence": {"0.5", "0.8", "0.51", "6.11", "0.92", "0.3", "0.03", "10.1", "hundred"},
    # The half in exp(0.5 z_log_var); variances on a toy worked out; a section of a paper; an error in theory.
    "03_reparameterization": {"0.5", "9.5", "2.4", "0.06"},
    # What doubling each side costs.
    "04_transposed_convolution": {"four"},
    # The deviation that goes with s^2 = 1/2, and the lecture's score.
    "05_convolutional_vae": {"0.71", "28.217"},
    # The rule for a dimension in use; the deviation of a length; how much darker pictures are made; what is
    # ink, and what is grey; the boldest images; a normal distribution within three deviations.
    "06_latent_interpolation": {"0.01", "0.71", "1.3", "0.2", "0.8", "20", "99.7"},
    # Epochs; the deviation of a narrow normal density; a mean worked out; what papers have published.
    "07_likelihood": {
        "60",
        "85.54",
        "0.1",
        "0.9",
        "0.67",
        "86.76",
        "84.78",
        "88.71",
        "87.10",
        "82.90",
        "79.10",
        "86.64",
        "80.97",
        "79.20",
    },
    # Half the logarithm of 19, worked out; what counts as telling, as in use, as near; hardly any noise.
    "08_rate_distortion": {"1.47", "0.9", "0.1", "0.01", "0.001", "95", "100", "30"},
    # What papers and a tutorial have published; log 10; how often a digit is asked for; sections and betas.
    "09_beyond_digits": set(
        "0.1 0.25 100 11.82 2.3 3.1 77.1 88.0 88.2 93.2 96.7 three five".split()
    ),
    # Versions of Python and of licences; scores of the lecture, and of three seeds in benchmarks/RESULTS.md.
    "README.md": {
        "3.11",
        "3.12",
        "3.13",
        "1.1",
        "3.0",
        "4.0",
        "28.217",
        "28.17",
        "28.28",
        "28.16",
        "28.25",
        "86.76",
        "84.78",
    },
    # Settings to try in an explorer; a mean over 100 dimensions against a sum; what counts as near.
    "TEACHING.md": {"0.5", "hundred", "95"},
}


def texts_of(name):
    """List the texts and slides of a lesson, or the text of a guide."""
    if name in GUIDES:
        return [(ROOT / name).read_text(encoding="utf-8")]
    texts = []
    for cell in read(ROOT / "notebooks" / f"{name}.ipynb").cells:
        texts += [cell.source] if cell.cell_type == "markdown" else []
        texts += ["\n".join(cell.metadata["slide"])] if "slide" in cell.metadata else []
    return texts


def unmarked(text):
    """List the numbers in a text that look as if they had been measured, and have no mark."""
    text = NO_PROSE.sub(" ", cited_numbers.MARK.sub(" ", text))
    return [match.group() for match in MEASURED.finditer(text)]


every_text = pytest.mark.parametrize("name", [*(path.stem for path in LESSONS), *GUIDES])
every_lesson = pytest.mark.parametrize("name", [path.stem for path in LESSONS])


@every_text
def test_every_number_that_was_measured_is_marked(name):
    """A decimal, a percentage or "N times" is tied to what printed it, or in the list of exact ones."""
    found = {number for text in texts_of(name) for number in unmarked(text)}
    assert not found - EXACT.get(name, set())


@pytest.mark.parametrize("name", EXACT)
def test_the_list_of_exact_numbers_is_as_short_as_it_can_be(name):
    """What no text holds any more goes."""
    assert EXACT[name] <= {number for text in texts_of(name) for number in unmarked(text)}


def test_numbers_without_a_mark_are_found():
    """Each kind; not those in code, in addresses, or with a mark."""
    text = """It is 0.75, 6 %, 61%, 3.1 times, 5 times, twenty times and $s^2 = 0.5$.
    Not `0.1`, [a](b1.5.html), 0.75<!--gap-->, 6 %<!--empty--> or **3.1**<!--ratio--> times.
    Nor 28 x 28, lesson 5 or version 3.15.1."""
    assert unmarked(text) == ["0.75", "6", "61", "3.1", "5", "twenty", "0.5"]


@every_text
def test_every_mark_names_a_number_of_both_data_sets(name):
    """A deck or a page made on the embedded digits can cite them as well."""
    lesson = name if name not in GUIDES else ""
    for text in texts_of(name):
        for mark in cited_numbers.MARK.finditer(text):
            for dataset in cited_numbers.DATASETS.values():
                assert cited_numbers.look_up(mark, NUMBERS, lesson, dataset), mark.group()
        comments = re.findall(r"<!--(?!/?numbers-->).*?-->", text)
        assert len(comments) == len(list(cited_numbers.MARK.finditer(text))), comments


@every_text
def test_every_marked_number_is_what_was_recorded(name):
    """To the last place that it is written with; `make refresh` corrects it."""
    for text in texts_of(name):
        assert cited_numbers.cite(text, NUMBERS, name) == text


@every_text
def test_no_number_is_written_more_exactly_than_its_scatter_allows(name):
    """The unit of the last place is at least a fifth of the scatter; without one, three digits are enough."""
    for text in texts_of(name):
        for mark in cited_numbers.MARK.finditer(text):
            value, scatter = cited_numbers.look_up(mark, NUMBERS, name)
            places = len(mark["number"].partition("e")[0].partition(".")[2])
            if scatter:
                scatter = cited_numbers.shown_value(mark, scatter)
                assert 10.0**-places >= scatter / 5, mark.group()
            elif value != int(value):
                digits = re.sub(r"e.*|\D", "", mark["number"]).lstrip("0")
                assert len(digits) <= 3, mark.group()


@every_lesson
def test_what_is_kept_is_what_the_committed_lesson_recorded(name):
    """On MNIST; `vae-course run --strict` compares both data sets with what is measured now."""
    found = cited_numbers.recorded(read(ROOT / "notebooks" / f"{name}.ipynb"))
    assert NUMBERS[name][found["dataset"]] == found["numbers"]
    assert NUMBERS[name].keys() == set(cited_numbers.DATASETS.values())


@every_lesson
def test_every_claim_holds_on_both_data_sets(name):
    """What a lesson records as true or false is something that it says."""
    for numbers in NUMBERS[name].values():
        assert not [claim for claim, (value, _) in numbers.items() if value is False]
