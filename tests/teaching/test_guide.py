"""The teaching guide holds what the lessons hold: every slide of the lecture, every lesson, true minutes."""

import re

import nbformat
from pins import ROOT

from vae_course.teaching import deck
from vae_course.teaching.notebooks import title_of

LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
GUIDE = (ROOT / "TEACHING.md").read_text(encoding="utf-8")
# The titles of the lecture's slides, in their order; a slide without a title goes with the one before.
LECTURE = """
Neural network programming: variational autoencoders
Today's code and slides
Today's class
Discriminative versus generative networks
Generative networks
Standard autoencoders
Our old network
Standard autoencoders, continued
Standard autoencoders, continued more
Autoencoders, who cares?
Problems with standard autoencoders
Problems with standard autoencoders, continued
Variational autoencoders (2014)
Variational autoencoders, continued
Variational autoencoders, continued more
KL divergence
KL divergence, continued
KL divergence, continued more
KL divergence, continued even more
KL divergence, implementation
The algorithm
Backpropagation over a sampled distribution
VAE example
Deconvolution layers
Deconvolution layers, padding with zeros
Deconvolution layers, upsampling
VAE example, the code
VAE example, the code, continued
VAE example, the code, continued more
VAE example, running the code
What can we do with it?
Manipulating digits
Linky goodness
""".strip().splitlines()
LINKS = """
https://arxiv.org/abs/1312.6114
https://arxiv.org/abs/1401.4082
https://wiseodd.github.io/techblog/2016/12/10/variational-autoencoder
https://blog.keras.io/building-autoencoders-in-keras.html
http://kvfrans.com/variational-autoencoders-explained
https://towardsdatascience.com/intuitively-understanding-variational-autoencoders-1bfe67eb5daf
https://jaan.io/what-is-variational-autoencoder-vae-tutorial
https://arxiv.org/abs/1603.07285v1
""".split()


def rows():
    """List the rows of the table of slides: the lecture's title, our lesson's file, our titles."""
    found = re.findall(r"^\| (.+?) \| \[\d\]\((notebooks/\S+)\) \| (.+) \|$", GUIDE, re.M)
    return [(title, file, ours.replace("\\|", "|").split("; ")) for title, file, ours in found]


def titles_of(path):
    """List the titles of the slides that a lesson's deck has."""
    return [slide.title for slide in deck.slides_of(nbformat.read(path, as_version=4))]


def test_every_slide_of_the_lecture_has_a_row():
    """In the lecture's order, none left out, none made up."""
    assert [title for title, _, _ in rows()] == LECTURE


def test_the_slides_that_a_row_names_are_in_that_lessons_deck():
    """A slide that is renamed must be renamed here, too."""
    for title, file, ours in rows():
        missing = set(ours) - set(titles_of(ROOT / file))
        assert not missing, f"{title}: {missing} not in {file}"


def test_titles_are_unique_in_a_deck():
    """Otherwise a row would not say which slide it means."""
    for path in LESSONS:
        titles = titles_of(path)
        assert len(set(titles)) == len(titles), path.stem


def test_every_lesson_is_treated():
    """Minutes that are the lesson's own, what to say, ask and show, and what students get wrong."""
    parts = re.split(r"^### ", GUIDE.split("\n## Exercises")[0], flags=re.M)[1:]
    numbers = [int(path.stem[:2]) for path in LESSONS]
    told = [int(re.match(r"\d+", part).group()) for part in parts]
    assert told == numbers, f"TEACHING.md has sections for {told}, but there are lessons {numbers}"
    for part, path in zip(parts, LESSONS, strict=True):
        first = nbformat.read(path, as_version=4).cells[0].source
        minutes = re.search(r"\*\*Time:\*\* (\d+) minutes", first).group(1)
        assert part.startswith(f"{int(path.stem[:2])} ") and f"**Minutes:** {minutes}." in part
        for heading in ("**Say:**", "**Ask**", "**Misconceptions**", "**Live:**"):
            assert heading in part, f"{path.stem}: {heading}"
        assert len(re.findall(r"^- \*.+\?\*", part, re.M)) >= 3, f"{path.stem}: questions"
        assert len(re.findall(r'^- "', part, re.M)) >= 3, f"{path.stem}: misconceptions"
    assert title_of(nbformat.read(LESSONS[1], as_version=4)) in GUIDE


def test_the_lectures_links_are_all_there():
    """And as many that came since."""
    for link in LINKS:
        assert f"]({link})" in GUIDE
    assert len(re.findall(r"^- .*\]\(http", GUIDE.split("What came since")[1], re.M)) >= len(LINKS)
