"""Numbers about latent spaces, against cases computed by hand and brute force."""

import numpy as np
import pytest
from scipy import stats
from scipy.spatial import Delaunay, cKDTree

from vae_course import latent
from vae_course.losses import gaussian_kl

RNG = np.random.default_rng(0)


def test_class_means_by_hand():
    """Two points of class 1 average, one of class 0 stays; rows follow the sorted classes."""
    means = latent.class_means([[0, 2], [4, 4], [2, 4]], [1, 0, 1])
    np.testing.assert_allclose(means, [[4, 4], [1, 3]])


@pytest.mark.parametrize("labels", [[0, 1], [[0, 1, 2]]])
def test_class_means_needs_one_label_for_each_vector(labels):
    """The error names both shapes."""
    with pytest.raises(ValueError, match=r"z has shape \(3, 2\) and labels"):
        latent.class_means(np.zeros((3, 2)), labels)


@pytest.mark.parametrize("path", [latent.lerp, latent.slerp])
def test_paths_start_and_end_where_they_should(path):
    """t = 0 is the start, t = 1 the end, to rounding."""
    a, b = RNG.normal(size=(2, 100))
    np.testing.assert_allclose(path(a, b, [0, 1]), [a, b], atol=1e-12)
    assert path(a, b, 0.5).shape == (100,)
    assert path(a, b, np.linspace(0, 1, 7)).shape == (7, 100)


def test_lerp_by_hand():
    """A quarter of the way from (0, 4) to (8, 0)."""
    np.testing.assert_allclose(latent.lerp([0, 4], [8, 0], 0.25), [2, 3])


def test_slerp_turns_evenly():
    """Between perpendicular unit vectors, a third of the way is at 30 degrees."""
    np.testing.assert_allclose(
        latent.slerp([1, 0], [0, 1], 1 / 3), [np.sqrt(3) / 2, 0.5], atol=1e-12
    )


def test_slerp_changes_the_length_evenly():
    """From length 1 to length 3, every point has the length in between; lerp is shorter."""
    t = np.linspace(0, 1, 11)
    a, b = [1, 0, 0], [0, 3, 0]
    np.testing.assert_allclose(np.linalg.norm(latent.slerp(a, b, t), axis=1), 1 + 2 * t)
    assert np.linalg.norm(latent.lerp(a, b, 0.5)) < 2


def test_slerp_of_parallel_and_nearly_parallel_vectors():
    """Where there is no angle to speak of, it is the straight line, without a division by zero."""
    np.testing.assert_allclose(latent.slerp([1, 0], [3, 0], 0.5), [2, 0])
    a, b = np.array([1.0, 0.0]), np.array([1.0, 1e-5])
    np.testing.assert_allclose(latent.slerp(a, b, 0.5), latent.lerp(a, b, 0.5), atol=1e-9)


@pytest.mark.parametrize("bad", [([0, 0], [1, 0]), ([1, 0], [-2, 0]), ([1], [2])])
def test_slerp_without_an_arc_is_refused(bad):
    """A zero vector, opposite ones and one dimension have none; the error names lerp as the way out."""
    with pytest.raises(ValueError, match="lerp"):
        latent.slerp(*bad, 0.5)


@pytest.mark.parametrize("path", [latent.lerp, latent.slerp])
def test_paths_between_different_spaces_are_refused(path):
    """The error names both shapes."""
    with pytest.raises(ValueError, match=r"\(2,\) and \(3,\)"):
        path([1, 0], [1, 0, 0], 0.5)


def test_the_largest_gap_of_a_grid_with_a_hole():
    """Points one apart with one missing: the empty circle sits there, with radius 1."""
    points = np.array([(i, j) for i in range(7) for j in range(7) if (i, j) != (3, 2)], float)
    points += RNG.normal(scale=1e-6, size=points.shape)  # a perfect grid is degenerate
    centres, radii = latent.largest_gaps(points, 1)
    np.testing.assert_allclose(centres, [[3, 2]], atol=1e-4)
    np.testing.assert_allclose(radii, [1], atol=1e-4)


def test_gaps_are_empty_do_not_overlap_and_are_the_largest():
    """Against brute force: no place of a fine grid in a fenced square is farther from all points."""
    fence = [(x, y) for x in np.linspace(-1, 1, 81) for y in (-1, 1)]
    fence += [(y, x) for x, y in fence]
    points = np.concatenate([RNG.uniform(-1, 1, (300, 2)), fence])
    points += RNG.normal(scale=1e-6, size=points.shape)
    centres, radii = latent.largest_gaps(points, 4)
    assert len(radii) == 4 and (np.diff(radii) <= 0).all()
    tree = cKDTree(points)
    np.testing.assert_allclose(tree.query(centres)[0], radii)
    for i in range(4):
        for j in range(i):
            assert np.linalg.norm(centres[i] - centres[j]) >= radii[i] + radii[j]
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, 500)] * 2), axis=-1).reshape(-1, 2)
    farthest = tree.query(grid)[0].max()
    assert farthest <= radii[0] <= farthest + 0.004  # half a diagonal of the grid


def test_gaps_lie_inside_the_cloud():
    """Every circle is within the convex hull: empty land outside the data is no gap."""
    points = RNG.normal(size=(200, 2))
    centres, radii = latent.largest_gaps(points, 8)
    angles = np.linspace(0, 2 * np.pi, 60)
    rims = centres[:, None] + 0.999 * radii[:, None, None] * np.stack(
        [np.cos(angles), np.sin(angles)], axis=-1
    )
    assert len(radii) == 8
    assert (Delaunay(points).find_simplex(rims.reshape(-1, 2)) >= 0).all()


@pytest.mark.parametrize("points", [np.zeros((3, 2)), np.zeros((9, 3)), np.full((9, 2), np.nan)])
def test_gaps_of_what_is_not_a_cloud_in_the_plane_are_refused(points):
    """The error says what is needed."""
    with pytest.raises(ValueError, match="at least 4 finite points in the plane"):
        latent.largest_gaps(points)


def test_kl_per_dimension_sums_to_the_loss_term():
    """Two implementations, NumPy by dimension and Keras by image, agree on the total."""
    mean, log_var = RNG.normal(size=(2, 50, 6)).astype("float32")
    parts = latent.kl_per_dimension(mean, log_var)
    assert parts.shape == (6,) and (parts >= 0).all()
    assert parts.sum() == pytest.approx(float(np.mean(gaussian_kl(mean, log_var))), rel=1e-5)


def test_active_units_are_those_whose_mean_has_a_variance_above_a_hundredth():
    """Deviations of 0.09 and 0.11 lie on either side of it; a constant mean, however large, is not active."""
    signs = np.repeat([[-1.0], [1.0]], 5, axis=0)
    assert latent.active_units(signs * [0.09, 0.11, 3, 0] + [0, 0, 0, 50]) == 2
    assert latent.active_units(np.ones((1, 3))) == 0


# Six posteriors in the plane: some overlap, some do not.
MEANS = np.array([[0, 0], [0.3, 0.2], [2, -1], [-1.5, 0.5], [-1.5, 0.9], [0.5, 2]])
LOG_VARS = np.log([[0.5, 0.3], [0.2, 0.6], [0.1, 0.4], [0.3, 0.05], [0.3, 0.3], [1.2, 0.2]])


def by_quadrature(means, log_vars):
    """Return mutual information, and KL of the mixture from the prior, as sums over a grid of the plane."""
    side = np.linspace(-8, 8, 1201)
    x, y = np.meshgrid(side, side)
    cell = (side[1] - side[0]) ** 2
    log_q = np.stack(
        [
            stats.norm.logpdf(x, mean[0], deviation[0])
            + stats.norm.logpdf(y, mean[1], deviation[1])
            for mean, deviation in zip(means, np.exp(log_vars / 2), strict=True)
        ]
    )
    mixture = np.exp(log_q).mean(axis=0)
    information = (np.exp(log_q) * (log_q - np.log(mixture))).sum(axis=(1, 2)).mean() * cell
    log_prior = stats.norm.logpdf(x) + stats.norm.logpdf(y)
    return information, (mixture * (np.log(mixture) - log_prior)).sum() * cell


def test_mutual_information_is_that_of_a_grid_and_makes_the_kl_with_the_mixtures():
    """Within four standard errors; a thousand copies of each image give as many draws of the same mixture."""
    information, of_mixture = by_quadrature(MEANS, LOG_VARS)
    copies = np.tile(MEANS, (1000, 1)), np.tile(LOG_VARS, (1000, 1))
    estimates = [latent.mutual_information(*copies, seed) for seed in range(4)]
    assert np.std(estimates, ddof=1) < 0.02
    assert np.mean(estimates) == pytest.approx(information, abs=4 * 0.01 / 2)
    kl = latent.kl_per_dimension(MEANS, LOG_VARS).sum()
    assert information + of_mixture == pytest.approx(kl, abs=1e-5)
    assert 1 < information < np.log(6)


@pytest.mark.parametrize("deviation", [0.3, 1.0, 5.0])
def test_mutual_information_of_a_gaussian_code_is_the_closed_form(deviation):
    """Means spread like N(0, 1), one variance: log(1 + 1 / variance) / 2 nats in each of two dimensions."""
    quantiles = stats.norm.ppf((np.arange(2000) + 0.5) / 2000)
    means = np.stack([quantiles, RNG.permutation(quantiles)], axis=1)
    estimate = latent.mutual_information(means, np.full(means.shape, 2 * np.log(deviation)), seed=1)
    assert estimate == pytest.approx(np.log(1 + deviation**-2), abs=0.05)


def test_mutual_information_lies_between_nothing_and_the_logarithm_of_the_number_of_images():
    """Equal posteriors tell nothing; far ones tell which image it is and no more, in many dimensions, too."""
    same = np.full((700, 3), 1.5), np.full((700, 3), -2.0)
    assert latent.mutual_information(*same) == pytest.approx(0, abs=1e-9)
    for log_var in (-10.0, -2.0):
        codes = RNG.normal(scale=40, size=(1203, 100)), np.full((1203, 100), log_var)
        assert latent.mutual_information(*codes) == pytest.approx(np.log(1203), abs=1e-6)
    assert latent.mutual_information([[3.0]], [[0.7]]) == pytest.approx(0, abs=1e-12)


def test_rounding_does_not_lift_the_mutual_information_above_its_bound():
    """Means so large beside their deviations that the square, multiplied out, loses all digits."""
    codes = RNG.normal(scale=1e5, size=(600, 3)), np.full((600, 3), -20.0)
    assert latent.mutual_information(*codes) <= np.log(600)


def test_a_seed_makes_the_draws_of_the_mutual_information():
    """The same seed gives the same number, and a generator can be passed on."""
    draws = [latent.mutual_information(MEANS, LOG_VARS, seed) for seed in (3, 3, 4)]
    assert draws[0] == draws[1] != draws[2]
    assert latent.mutual_information(MEANS, LOG_VARS, np.random.default_rng(3)) == draws[0]


def test_a_traversal_changes_one_dimension_only():
    """All others stay, and the vector that was given is not changed."""
    z = RNG.normal(size=5)
    kept = z.copy()
    path = latent.traversal(z, 2, [-3, 0, 3])
    np.testing.assert_array_equal(path[:, 2], [-3, 0, 3])
    np.testing.assert_array_equal(np.delete(path, 2, axis=1), np.delete(np.stack([z] * 3), 2, 1))
    np.testing.assert_array_equal(z, kept)


def test_a_traversal_of_whole_numbers_takes_fractions():
    """An integer vector is not a reason to round the values."""
    np.testing.assert_array_equal(latent.traversal([0, 1], 0, [0.5, 1.7]), [[0.5, 1], [1.7, 1]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: latent.traversal(np.zeros((2, 2)), 0, [1]), r"z has shape \(2, 2\)"),
        (
            lambda: latent.kl_per_dimension(np.zeros((4, 2)), np.zeros((1, 2))),
            r"\(4, 2\).*\(1, 2\)",
        ),
        (lambda: latent.active_units(np.zeros(4)), r"\(4,\)"),
        (
            lambda: latent.mutual_information(np.zeros((4, 2)), np.zeros((4, 3))),
            r"\(4, 2\).*\(4, 3\)",
        ),
        (lambda: latent.mutual_information(np.zeros((0, 2)), np.zeros((0, 2))), r"\(0, 2\)"),
        (lambda: latent.mutual_information([[np.nan]], [[0.0]]), "not finite"),
        (lambda: latent.largest_gaps(RNG.normal(size=(9, 2)), 0), "count=0"),
        (lambda: latent.largest_gaps(np.outer(np.arange(9.0), [1, 2])), "on one line"),
        (lambda: latent.largest_gaps(np.ones((9, 2))), "on one line"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(call, message):
    """Each error names the value or what is wrong with it."""
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("dimension", [-1, 5])
def test_a_traversal_of_no_dimension_is_refused(dimension):
    """The error names those that are there."""
    with pytest.raises(ValueError, match="0 to 4"):
        latent.traversal(np.zeros(5), dimension, [0])
