"""What each explorer draws and tells in the browser, for any place of its controls, against NumPy."""

import re

import numpy as np
import pytest
from front_end import Functions
from scipy.special import logsumexp, softmax
from toys import BETAS, make_decoder, make_judge, make_sweep, pictures_of, toy_explorer

from vae_course.explorers import DigitMorph, LatentMap, LatentTraversal, RateDistortion, Staircase
from vae_course.explorers.networks import array

RNG = np.random.default_rng(5)
LABELS = np.arange(200) % 10
RING = RNG.normal(size=(200, 2))
RING *= RNG.uniform(1, 2, (200, 1)) / np.linalg.norm(RING, axis=1, keepdims=True)  # empty inside
CLOUD = RNG.normal(size=(200, 2))
PLAIN, VARIATIONAL, FIVE = make_decoder(2, 1), make_decoder(2, 2), make_decoder(5)
CODES, SIX = RNG.normal(size=(60, 5)).astype("float32"), np.arange(60) % 10
MEANS = np.array([CODES[SIX == digit].mean(axis=0) for digit in range(10)])


@pytest.fixture(scope="module")
def js(browser, tmp_path_factory):
    """Give the front end's functions."""
    return Functions(browser, tmp_path_factory.mktemp("functions"))


def numbers(text):
    """Return the place and the distance that a map tells."""
    x, y = text.split("z = (")[1].split(")")[0].split(", ")
    return np.array([float(x), float(y)]), float(text.split(" away")[0].split(", ")[-1])


def test_the_map_starts_in_the_largest_gap_and_goes_where_it_is_dragged(js):
    """Picture, nearest code and gap, against the decoder by hand and a search through all codes."""
    explorer = LatentMap({"autoencoder": (PLAIN, RING), "VAE": (VARIATIONAL, CLOUD)}, LABELS, "toy")
    steps = [
        {"grab": [200, 150]},
        {"keys": [1, 0]},
        {"keys": [0, -5]},
        {"model": "VAE"},
        {"grab": [54, 34]},
    ]
    seen = js.probe(explorer, *steps)
    assert "in gap 1" in seen[0]["text"] and np.linalg.norm(numbers(seen[0]["text"])[0]) < 0.3
    for one, codes, decoder in zip(
        seen, [RING] * 4 + [CLOUD] * 2, [PLAIN] * 4 + [VARIATIONAL] * 2, strict=True
    ):
        z, away = numbers(one["text"])
        assert np.linalg.norm(codes - z, axis=1).min() == pytest.approx(away, abs=0.02)
        np.testing.assert_allclose(
            one["digits"][0], pictures_of(decoder, z)[0], atol=0.02
        )  # z has two decimals
    dragged, right, up = (numbers(one["text"])[0] for one in seen[1:4])
    assert right[0] > dragged[0] and right[1] == dragged[1]
    assert up[1] > right[1] and up[0] == right[0]
    assert seen[4]["text"].startswith("VAE: ") and "in none of the marked gaps" in seen[5]["text"]


def test_a_map_can_do_without_gaps(js):
    """No word about them; and one model needs no buttons."""
    (seen,) = js.probe(LatentMap({"VAE": (VARIATIONAL, CLOUD)}, LABELS, "toy", gaps=0))
    assert "nearest code" in seen["text"] and "gap" not in seen["text"] and not seen["values"]


@pytest.mark.parametrize(("mu", "log_var"), [(-1.5, 0.5), (3, -4), (-3, 1.5), (0, 0)])
def test_the_divergence_is_told_in_nats_and_bits(js, mu, log_var):
    """Closed form, in the title, the formula and the text; no curve leaves its axes."""
    explorer = toy_explorer("KLExplorer")
    _, seen = js.probe(explorer, {"mu": mu, "log sigma²": log_var})
    kl = 0.5 * (np.exp(log_var) + mu**2 - 1 - log_var)
    assert f"{kl:.3f} nats, {kl / np.log(2):.3f} bits" in seen["text"]
    assert f"area {kl:.3f} nats = {kl / np.log(2):.3f} bits" in seen["words"]
    curves = [np.array(line) for line in seen["lines"] if len(line) == 1001]
    assert len(curves) == 3
    for curve in curves:
        assert curve[:, 1].min() >= 33.9 and curve[:, 1].max() <= 284.1


def test_the_same_eps_stay_and_plain_sampling_draws_anew(js):
    """The trick: text and slopes as by NumPy. Plain sampling: no gradient, other samples at each step."""
    explorer = toy_explorer("ReparameterizationExplorer")
    steps = [
        {"mu": 2.5, "sigma": 2},
        {"draws": "plain sampling"},
        {"mu": 2.51},
        {"draws": "z = mu + sigma * eps"},
    ]
    _, trick, plain, fresh, again = js.probe(explorer, *steps)
    away = 2.5 + 2 * explorer._eps - 3
    slopes = (
        f"gradient: mu {np.mean(2 * away):+.1f}, sigma {np.mean(2 * away * explorer._eps):+.1f}"
    )
    assert slopes in trick["text"] and f"Mean of f {np.mean(away**2):.2f}" in trick["text"]
    assert "12 fresh draws; no gradient" in plain["text"]
    loss = [float(one["text"].split("Mean of f ")[1].rstrip(".")) for one in (plain, fresh)]
    assert abs(loss[0] - loss[1]) > 0.02
    assert "the same 12 eps" in again["text"]
    links = [line for line in trick["lines"] if len(line) == 2 and line[0][1] != line[1][1]]
    assert len(links) >= 12


def test_stamps_are_counted_and_sizes_told(js):
    """A larger input has more stamps; the formula is that of the settings."""
    explorer = toy_explorer("TransposedConvolutionExplorer")
    steps = [{"stamps": 0}, {"input side": "4", "stride": "3", "padding": "same"}, {"stamps": 16}]
    seen = js.probe(explorer, *steps)
    assert "after 2 of 4 stamps, the last one 2 times the kernel" in seen[0]["text"]
    assert "no stamp yet" in seen[1]["words"]
    assert seen[2]["text"].endswith("o = i s = 4·3 = 12.")
    assert "after 16 of 16 stamps" in seen[3]["text"] and "16 x kernel" in seen[3]["words"]


def test_a_morph_of_one_number_offers_no_curved_path(js):
    """Nothing can turn there; the straight one is drawn."""
    codes, decoder = np.linspace(-1, 1, 60)[:, None], make_decoder(1)
    _, end = js.probe(DigitMorph(decoder, codes, SIX), {"t, in %": 100})
    assert "path" not in end["values"] and "lerp" in end["text"]
    picture = pictures_of(decoder, codes[SIX == 7].mean(axis=0))[0]
    np.testing.assert_allclose(end["digits"][0], picture, atol=1e-5)


def test_a_morph_shows_the_decoded_point_of_its_path(js):
    """Ends, straight and round paths between images, a third by its weight; nine frames below."""
    explorer = DigitMorph(FIVE, CODES, SIX)
    images = {"from": "test image 4, a 4", "to": "test image 18, a 8"}
    steps = [
        {"t, in %": 0},
        {"t, in %": 100},
        {"t, in %": 25, **images},
        {"t, in %": 50, "path": "slerp"},
        {
            "path": "lerp",
            "third": "mean of the 9s",
            "third, in %": 40,
            "from": "mean of the 3s",
            "to": "mean of the 7s",
        },
    ]
    _, start, end, line, arc, mixed = js.probe(explorer, *steps)
    a, b = CODES[4].astype(float), CODES[18].astype(float)
    lengths = np.linalg.norm(a), np.linalg.norm(b)
    middle = a / lengths[0] + b / lengths[1]
    middle *= sum(lengths) / 2 / np.linalg.norm(middle)
    points = (
        MEANS[3],
        MEANS[7],
        0.75 * a + 0.25 * b,
        middle,
        0.3 * MEANS[3] + 0.3 * MEANS[7] + 0.4 * MEANS[9],
    )
    for one, z in zip((start, end, line, arc, mixed), points, strict=True):
        np.testing.assert_allclose(one["digits"][0], pictures_of(FIVE, z)[0], atol=1e-5)
    t = np.linspace(0, 1, 9)[:, None]
    np.testing.assert_allclose(
        line["digits"][1:], pictures_of(FIVE, (1 - t) * a + t * b), atol=1e-5
    )
    assert (
        "0.30 from + 0.30 to + 0.40 third" in mixed["text"]
        and "third the mean of the 9s" in mixed["text"]
    )
    assert "place on the arc" in arc["text"]


@pytest.mark.parametrize("rank", range(1, 6))
def test_a_traversal_sets_the_dimension_of_that_rank(js, rank):
    """Before, after and change are decoded from the mean with only that number replaced."""
    kl, order = np.array([0.1, 2.0, 0.0, 1.5, 0.3]), [1, 3, 4, 0, 2]
    explorer = LatentTraversal(FIVE, CODES, SIX, kl)
    _, seen, image = js.probe(
        explorer, {"place by KL": rank, "value": -1.5}, {"image": "test image 15, a 5"}
    )
    after = MEANS[3].copy()
    after[order[rank - 1]] = -1.5
    expected = pictures_of(FIVE, np.array([MEANS[3], after]))
    np.testing.assert_allclose(seen["digits"], [*expected, expected[1] - expected[0]], atol=1e-5)
    np.testing.assert_allclose(image["digits"][0], pictures_of(FIVE, CODES[15])[0], atol=1e-5)
    assert f"dimension {order[rank - 1]}, number {rank} by KL" in seen["text"]
    assert f"by {np.abs(expected[1] - expected[0]).max():.2f} at most" in seen["text"]
    assert seen["bars"][-1] == [rank, pytest.approx(kl[order[rank - 1]])]


@pytest.mark.parametrize("step", [1, 2, 21, 50])
@pytest.mark.parametrize("number", [0, 1])
def test_the_staircase_tells_what_the_first_draws_give(js, number, step):
    """Bound, effective sample size, shares and the heaviest draw, of weights that differ a lot."""
    explorer = toy_explorer("Staircase")
    assert isinstance(explorer, Staircase)
    rng = np.random.default_rng(1)
    log_w = (rng.normal(size=(1000, 2), scale=3) - 800).astype("float32")
    explorer._log_w, explorer._z = log_w, rng.normal(size=(1000, 2, 2)).astype("float32")
    _, seen = js.probe(explorer, {"image": explorer._names[number], "step": step})
    k = np.unique(np.geomspace(1, 1000, 61).round().astype(int))[step - 1]
    mine = log_w[:k, number].astype(float)
    shares = np.sort(np.exp(mine - logsumexp(mine)))[::-1]
    text = f"{explorer._names[number]}: with {k} draws the bound is {logsumexp(mine) - np.log(k):.2f} nats"
    assert text in seen["text"]
    assert f"effective sample size {1 / (shares**2).sum():.1f}" in seen["text"]
    assert f"heaviest draw holds {shares[0]:.0%}" in seen["text"]
    np.testing.assert_allclose([share for _, share in seen["bars"]], shares[:12], atol=1e-6)
    best = explorer._z[mine.argmax(), number]
    decoded = explorer._decoder.predict(best[None], verbose=0)[0, ..., 0]
    assert any(np.abs(digit - decoded).max() < 1e-4 for digit in seen["digits"])


@pytest.mark.parametrize("number", range(len(BETAS)))
def test_the_slider_goes_through_the_betas(js, number):
    """Rate, distortion, their sum, active units and the largest KL; bars in falling order; pictures."""
    table, gallery = make_sweep()
    explorer = RateDistortion(table, gallery, lecture=(12.7, 15.5))
    start, seen = js.probe(explorer, {"beta no.": number + 1})
    assert start["text"].startswith("beta = 1:")
    beta = BETAS[number]
    rows = [row for row in table if row["beta"] == beta]
    rate, distortion = (np.mean([row[name] for row in rows]) for name in ("kl", "reconstruction"))
    assert seen["text"].startswith(
        f"beta = {beta:g}: rate {rate:.1f} + distortion {distortion:.1f} = "
    )
    assert f"= {rate + distortion:.1f} nats, mean of 3 seeds" in seen["text"]
    low = int(12 / (1 + beta))
    assert f"active units: {low} to {low + 1} of 12" in seen["text"]
    bars = sorted(gallery["kl_per_dimension"][number], reverse=True)
    assert f"is {bars[0]:.2f} nats" in seen["text"]
    np.testing.assert_allclose([nats for _, nats in seen["bars"]], bars, atol=1e-6)
    originals, rebuilt, samples = (
        gallery["originals"],
        gallery["reconstructions"][number],
        gallery["samples"][number],
    )
    expected = [*originals[:4], *rebuilt[:4], *originals[4:], *rebuilt[4:], *samples]
    np.testing.assert_allclose(seen["digits"], np.array(expected) / 255, atol=1e-6)


def test_the_nearest_point_of_the_curve_is_chosen(js):
    """From the upper left of the chart to its lower right; the arrow keys go along the curve."""
    explorer = RateDistortion(*make_sweep())
    seen = js.probe(
        explorer, {"grab": [52, 36]}, {"grab": [318, 342]}, {"keys": [-1, 0]}, {"keys": [0, -5]}
    )
    assert [one["values"]["beta no."] for one in seen[1:4]] == [5, 1, 2]
    assert seen[4]["values"]["beta no."] == 5


def test_a_digit_is_drawn_encoded_rebuilt_and_dragged_away(js):
    """As Keras encodes and decodes what is seen; then the place of the cross is decoded."""
    explorer = toy_explorer("DrawADigit")
    steps = [{"start with": "a 7"}, {"grab": [100, 100]}, {"grab": [600, 200]}, {"keys": [0, -5]}]
    start, seven, drawn, dragged, stepped = js.probe(explorer, *steps)
    first = explorer._images[np.argmax(explorer._labels == 7), ..., 0]
    np.testing.assert_allclose(seven["digits"][0], first, atol=0.003)
    assert start["text"].startswith("The test image, a 0: ") and "squared error" in start["text"]
    dot, rebuilt = drawn["digits"]
    code = explorer._encoder.predict(dot[None, ..., None], verbose=0)[0]
    expected = explorer._decoder.predict(code, verbose=0)[0, ..., 0]
    np.testing.assert_allclose(rebuilt, expected, atol=1e-4)
    assert (
        drawn["text"].startswith("Your drawing: ")
        and drawn["values"]["start with"] == "my own drawing"
    )
    z = np.array(re.search(r"z = \((-?[\d.]+), (-?[\d.]+)\)", dragged["text"]).groups(), float)
    expected = explorer._decoder.predict(z[None], verbose=0)[0, ..., 0]
    np.testing.assert_allclose(dragged["digits"][1], expected, atol=0.02)
    assert "cross was moved" in dragged["text"] and dragged["text"] != stepped["text"]
    np.testing.assert_allclose(stepped["digits"][0], dot, atol=1e-6)


def test_nothing_is_moved_once_a_drawing_is_cleared(js):
    """What the next drawing is rebuilt as is not called the place of the cross."""
    explorer = toy_explorer("DrawADigit")
    steps = [{"grab": [600, 200]}, {"start with": "my own drawing"}]
    _, moved, cleared = js.probe(explorer, *steps)
    assert "draws at the cross" in moved["words"] and "and rebuilds" in cleared["words"]


def test_the_cross_stays_on_the_map_when_the_code_does_not(js):
    """As that of a strange drawing."""
    explorer = toy_explorer("DrawADigit")
    state = explorer._state() | {"low": array([4, 4]), "high": array([6, 6])}
    explorer._state = lambda: state
    (seen,) = js.probe(explorer)
    crosses = [line for line in seen["lines"] if len(line) == 2][-4:]
    assert all(476 <= x <= 856 and 30 <= y <= 350 for line in crosses for x, y in line)


def test_one_point_makes_a_map_and_a_curve(js):
    """Its range is nothing, and is not divided by."""
    one = LatentMap({"VAE": (VARIATIONAL, CLOUD[:1])}, LABELS[:1], "toy", gaps=0)
    single = RateDistortion(*make_sweep(BETAS[:1], seeds=1))
    for seen in (js.probe(one)[0], js.probe(single)[0]):
        assert "NaN" not in seen["text"] and seen["lines"]
        assert all(np.isfinite(line).all() for line in seen["lines"])


def test_any_digit_is_written_in_a_hand_that_is_dragged(js):
    """The test image, the digit and all ten by hand; the judge's share; a click on a digit; and back."""
    explorer, judge = toy_explorer("Handwriting"), make_judge()
    steps = [
        {"hand": "test image 13, a 3", "digit": 8},
        {"grab": [100, 80]},
        {"keys": [0, 5]},
        {"grab": [60, 400]},  # on the 0 in the row below
        {"hand": "test image 9, a 9"},
        {"grab": [420, 180]},  # beside the map
    ]
    start, image, dragged, stepped, chosen, other, beside = js.probe(explorer, *steps)

    def right(seen, place, digit, moved):
        own = explorer._codes[place].astype(float)
        told = re.search(r"(moved to|at) \((-?[\d.]+), (-?[\d.]+)\)", seen["text"]).groups()
        at = np.array(told[1:], float)
        home = explorer._directions @ own
        assert told[0] == ("moved to" if moved else "at")
        assert moved or at == pytest.approx(home, abs=0.006)
        z = own + (at - home) @ explorer._directions
        ten = pictures_of(explorer._decoder, np.hstack([np.tile(z, (10, 1)), np.eye(10)]))
        first, large, *row = seen["digits"]
        np.testing.assert_allclose(first, explorer._images[place, ..., 0], atol=0.003)
        np.testing.assert_allclose([large, *row], [ten[digit], *ten], atol=0.02)
        sure = softmax(np.reshape(row, (10, 784)) @ judge.coef_.T + judge.intercept_, axis=1)
        percent = re.search(rf"The judge says: [><]?(\d+)% an? {digit}\b", seen["text"])
        assert float(percent[1]) == pytest.approx(100 * sure[digit, digit], abs=1.01)
        best = sure[digit].argmax()
        assert bool(re.search(rf"% an? \d, [<\d]+% an? {best}\.$", seen["text"])) == (best != digit)
        return at

    right(start, 7, 4, moved=False)
    right(image, 13, 8, moved=False)
    before = right(dragged, 13, 8, moved=True)
    after = right(stepped, 13, 8, moved=True)
    assert after[1] < before[1] and after[0] == before[0]
    assert right(chosen, 13, 0, moved=True) == pytest.approx(after)
    assert chosen["values"]["digit"] == 0
    right(other, 9, 0, moved=False)
    assert beside["text"] == other["text"]
