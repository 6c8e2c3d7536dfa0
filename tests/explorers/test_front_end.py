"""The JavaScript of explorers as one module, and explorers as HTML for pages."""

import json
import re

import numpy as np
from bs4 import BeautifulSoup

from vae_course.explorers import front_end
from vae_course.explorers.networks import array

STILL = '<img alt="a still" src="data:">'


def test_the_files_become_one_module():
    """Nothing is imported, one thing is exported, and every function is there once."""
    text = front_end.script()
    assert not re.search(r"^import", text, re.M)
    assert re.findall(r"^export.*", text, re.M) == ["export default { render };"]
    names = re.findall(r"^(?:function|const) (\w+)", text, re.M)
    assert len(names) == len(set(names)) > 20


def test_bytes_become_text_for_a_notebook_and_nothing_else_changes():
    """Deep inside, and without touching the original."""
    state = {"a": [{"w": array([1.0])}, None, 3], "data": "my data"}
    copied = front_end.as_json(state)
    assert copied["a"][0]["w"]["data"] == "AACAPw==" and copied["data"] == "my data"
    assert json.loads(json.dumps(copied)) == copied
    assert state["a"][0]["w"]["data"] == b"\x00\x00\x80?"


def test_a_page_holds_script_and_equal_arrays_once():
    """Two explorers with the same weights; titles cannot end the script."""
    weights, stored = array(np.arange(5000.0)), set()
    page = ""
    for title in ("one", "</script><b>two"):
        state = front_end.as_json({"title": title, "weights": weights})
        page += front_end.embed({"module": "Toy", "state": state}, STILL, stored)
    soup = BeautifulSoup(page, "html.parser")
    assert len(soup.select("figure > img")) == len(soup.select("figcaption")) == 2
    assert len(soup.select("script[type=module]")) == len(soup.select("style")) == 1
    (text,) = soup.select("script[type='text/plain']")
    states = [json.loads(part.string)["state"] for part in soup.select("figure > script")]
    assert [state["title"] for state in states] == ["one", "</script><b>two"]
    assert [state["weights"]["data"] for state in states] == [f"#{text['id']}"] * 2
    assert text.string == front_end.as_json(weights)["data"]
    assert not soup.select("b")
