"""The page of `vae-course explore` in Chromium: what it draws, in colour or grey, is what Keras decodes."""

import decks
import numpy as np
import pytest
from front_end import Functions
from seen import Seen
from shapes import write_shapes

from vae_course import pretrained, training
from vae_course.data import load_digits
from vae_course.pictures import load_pictures
from vae_course.runs import explore

LIVE = "figure.vae-course-live > .vae-course-explorer[data-frames]"


@pytest.fixture(scope="module", params=["colour", "grey"])
def trained(request, tmp_path_factory):
    """Give a VAE of shapes with two latent dimensions, and the shapes."""
    root = tmp_path_factory.mktemp(request.param)
    data = load_pictures(write_shapes(root / "shapes", 200, 24))
    if request.param == "grey":
        np.save(root / "grey.npy", data.x_train.mean(axis=3).round().astype("uint8"))
        data = load_pictures(root / "grey.npy")
    recipe = training.Recipe("adam", 4e-3, 16, 4)
    model, history = training.train(recipe, data, latent_dim=2, beta=0.1)
    assert history["val_loss"][-1] < history["val_loss"][0]
    return model, data


def places(text):
    """Return the code that the map tells."""
    return np.array([float(part) for part in text.split("z = (")[1].split(")")[0].split(", ")])


def test_what_is_drawn_is_what_keras_decodes(browser, trained, tmp_path):
    """The map where it is dragged, a dimension where its slider stands, the middle of a path."""
    model, data = trained
    shape = data.x_train.shape[1:]
    made = explore.explorers_of(model, data)
    js = Functions(browser, tmp_path)
    bundle = made["The map of all codes"].bundle()
    seen = js("probe(a, b, c)", bundle["module"], bundle["state"], [{"grab": [150, 120]}])
    for one in seen:
        expected = model.decoder(places(one["text"])[None].astype("float32"))[0]
        np.testing.assert_allclose(np.reshape(one["digits"][0], shape), expected, atol=0.02)
    assert places(seen[0]["text"]).tolist() != places(seen[1]["text"]).tolist()
    assert ("circles" in seen[0]["text"]) + ("squares" in seen[0]["text"]) == (shape[2] == 3)
    bundle = made["One dimension at a time"].bundle()
    (_, seen) = js("probe(a, b, c)", bundle["module"], bundle["state"], [{"value": -1.5}])
    z = np.array(made["One dimension at a time"]._points[seen["values"]["image"]], "float32")
    before = np.asarray(model.decoder(z[None]))[0]
    z[made["One dimension at a time"]._order[0]] = -1.5
    after = np.asarray(model.decoder(z[None]))[0]
    for image, expected in zip(seen["digits"], (before, after, after - before), strict=True):
        np.testing.assert_allclose(np.reshape(image, shape), expected, atol=1e-4)
    explorer = made["From one picture to another"]
    (seen,) = js("probe(a, b, c)", "DigitMorph", explorer.bundle()["state"], [])
    ends = [explorer._points[seen["values"][end]] for end in ("from", "to")]
    expected = model.decoder(np.mean(ends, axis=0)[None].astype("float32"))[0]
    np.testing.assert_allclose(np.reshape(seen["digits"][0], shape), expected, atol=1e-4)


def test_a_drag_on_the_page_changes_the_picture_to_that_of_keras(browser, trained, tmp_path):
    """Pixels on the screen, at the middle of each decoded pixel; no request leaves the page."""
    model, data = trained
    rows, columns, channels = data.x_train.shape[1:]
    explore.write_page(tmp_path / "explore.html", model, data, "a <run>")
    with decks.opened(browser, tmp_path / "explore.html") as (page, asked):
        page.wait_for_function(f"document.querySelectorAll('{LIVE}').length === 3")
        seen = Seen(page.locator(LIVE).first)
        before = seen.text(), seen.picture()
        seen.drag([seen.at(0.15 + 0.03 * i, 0.3 + 0.03 * i) for i in range(5)])
        assert seen.text() != before[0] and (seen.picture() != before[1]).any()
        picture = seen.picture()
        expected = np.asarray(model.decoder(places(seen.text())[None].astype("float32")))[0]
        # The design of the map is 780 wide; its picture begins at (528, 116) and is 224 wide.
        dots = picture.shape[1] / 780
        across, down = (
            ((start + 224 * (np.arange(count) + 0.5) / count) * dots).astype(int)
            for start, count in ((528, columns), (116, rows))
        )
        shown = picture[np.ix_(down, across)][..., :3] / 255
        np.testing.assert_allclose(shown, expected.repeat(3 // channels, -1), atol=0.03)
        assert not asked and "a <run>" in page.title()
        assert not page.get_by_role("alert").filter(visible=True).count()


def test_a_page_of_a_shipped_model_is_live(browser, tmp_path):
    """Digits: the pad, the map, a dimension and a path draw their first frames, and none fails."""
    model, _ = pretrained.load("vae-2-digits")
    explore.write_page(tmp_path / "explore.html", model, load_digits("digits"), "vae-2-digits")
    with decks.opened(browser, tmp_path / "explore.html") as (page, asked):
        page.wait_for_function(f"document.querySelectorAll('{LIVE}').length === 4")
        assert not asked and not page.get_by_role("alert").filter(visible=True).count()
