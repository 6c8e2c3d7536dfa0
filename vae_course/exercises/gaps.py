"""Checks of gaps in a latent space: distances, and the largest empty circle."""

import numpy as np

from vae_course.exercises.compare import Problem, as_array, check_function, shown
from vae_course.exercises.verdict import announced, right, to_do, wrong


def _draw_places(rng, trial):
    places, codes = [(2, 3), (5, 9), (9, 30)][trial]
    return {
        "places": rng.uniform(-3, 3, (places, 2)).round(1),
        "codes": rng.uniform(-3, 3, (codes, 2)).round(1),
    }


def _distances(places, codes):
    return np.linalg.norm(places[:, None] - codes[None], axis=2)  # (places, codes)


def _distance_mistakes(places, codes):
    d = _distances(places, codes)
    yield ("the mean distance to the codes is taken, where the smallest is due",), d.mean(axis=1)
    yield ("the distance to the farthest code is taken, to the nearest is due",), d.max(axis=1)
    yield ("the root is missing: distances are squared",), d.min(axis=1) ** 2
    yield ("each code's distance to its nearest place is given; it is due the other way",), d.min(0)
    yield ("the number of the nearest code is given, where its distance is due",), d.argmin(axis=1)
    yield ("one smallest of all is given, where one for each place is due",), d.min()
    yield ("all distances are given, where the smallest for each place is due",), d
    along = np.abs(places[:, None] - codes[None]).sum(axis=2)
    yield ("that is the sum along the axes; the straight distance is due",), along.min(axis=1)


@announced
def check_nearest_distance(function):
    """Check `nearest_distance(places, codes)`: how far each place is from its nearest code.

    Args:
        function: The student's function; its arguments have shapes `(m, 2)` and `(n, 2)`.

    Returns:
        A `Verdict`.
    """
    return check_function(
        function,
        "nearest_distance",
        _draw_places,
        lambda places, codes: _distances(places, codes).min(axis=1),
        _distance_mistakes,
    )


@announced
def check_largest_gap(centre, radius, places, codes):
    """Check the centre and the radius of the largest empty circle among given places.

    Args:
        centre: The student's place, shape `(2,)`, or None.
        radius: The student's radius, or None.
        places: All places in question, shape `(m, 2)`.
        codes: Shape `(n, 2)`.

    Returns:
        A `Verdict`.
    """
    if centre is None or radius is None:
        return to_do("gap_centre and gap_radius: compute them in the cell above.")
    try:
        centre, radius = as_array(centre), as_array(radius)
    except Problem as problem:
        return wrong(f"gap_centre, gap_radius: {problem}".replace("It gives back", "One is"))
    if centre.shape != (2,) or radius.shape != ():
        return wrong(
            f"gap_centre has shape {centre.shape} and gap_radius {radius.shape}: "
            "a place (2,) and one number are due."
        )
    places, codes = np.float64(places), np.float64(codes)
    if not np.isclose(places, centre, atol=1e-6).all(axis=1).any():
        return wrong(f"gap_centre = {shown(centre)} is none of the given places.")
    room = np.sqrt(((codes - centre) ** 2).sum(axis=1)).min()
    if not np.isclose(room, radius, rtol=1e-3):
        return wrong(
            f"Around gap_centre the nearest code is {room:.4g} away, but gap_radius is {radius:.4g}."
        )
    from scipy.spatial import cKDTree

    best = cKDTree(codes).query(places)[0].max()
    if room < best - 1e-3 * abs(best):
        return wrong(f"At another place there is more room than your {room:.4g}: look on.")
    return right(f"The largest gap has a radius of {room:.4g}, and no code in it.")
