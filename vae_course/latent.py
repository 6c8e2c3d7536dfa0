"""Numbers about latent spaces: class means, paths, empty regions, dimensions that are in use."""

import numpy as np
from scipy.spatial import ConvexHull, QhullError, Voronoi, cKDTree, geometric_slerp
from scipy.special import logsumexp

from vae_course.losses import gaussian_kl

LEAST_VARIANCE = 0.01  # of a dimension's z_mean over the images, if the dimension is in use


def class_means(z, labels):
    """Average the latent vectors of each class.

    Args:
        z: Latent vectors, shape `(n, latent_dim)`.
        labels: Their classes, shape `(n,)`.

    Returns:
        Array of shape `(classes, latent_dim)`; row i belongs to the i-th of the sorted classes.

    Raises:
        ValueError: If there is not exactly one label for each vector, or none at all.

    Source: lecture, slide "What can we do with it?".
    """
    z, labels = np.asarray(z), np.asarray(labels)
    if z.ndim != 2 or labels.shape != z.shape[:1] or len(z) == 0:
        raise ValueError(
            f"z has shape {z.shape} and labels {labels.shape}: give one label for each latent vector."
        )
    return np.stack([z[labels == label].mean(axis=0) for label in np.unique(labels)])


def lerp(start, end, t):
    """Interpolate along the straight line: (1 - t) * start + t * end.

    Args:
        start: Latent vector, shape `(latent_dim,)`.
        end: Latent vector, same shape.
        t: Position, a number or an array of shape `(n,)`; 0 is the start, 1 the end.

    Returns:
        Array of shape `(latent_dim,)` for a number t, `(n, latent_dim)` for an array.

    Raises:
        ValueError: If the two vectors have different shapes.
    """
    start, end = _pair(start, end)
    t = np.asarray(t, dtype=float)[..., None]
    return (1 - t) * start + t * end


def slerp(start, end, t):
    """Interpolate along the arc: the direction turns evenly while the length goes evenly.

    Args:
        start: Latent vector, shape `(latent_dim,)` with a latent_dim of at least 2, not zero.
        end: Latent vector, same shape, not zero and not opposite to the start.
        t: Position, a number or an array of shape `(n,)`; 0 is the start, 1 the end.

    Returns:
        Array of shape `(latent_dim,)` for a number t, `(n, latent_dim)` for an array.

    Raises:
        ValueError: If the shapes differ, or no arc is defined: one dimension, a zero vector, or opposite
            directions.

    Source: Shoemake (1985), for directions; White (2016), arXiv 1609.04468, for latent spaces.
    """
    start, end = _pair(start, end)
    if len(start) < 2:
        raise ValueError("In one dimension there is nothing to turn: use lerp there.")
    lengths = np.linalg.norm(start), np.linalg.norm(end)
    if min(lengths) == 0:
        raise ValueError("A zero vector has no direction to turn: use lerp there.")
    a, b = start / lengths[0], end / lengths[1]
    if np.linalg.norm(a + b) < 1e-6:
        raise ValueError(
            "The two vectors are opposite: every arc is as short as any other. Use lerp."
        )
    t = np.asarray(t, dtype=float)
    directions = geometric_slerp(a, b, t.ravel()).reshape(*t.shape, -1)
    return directions * lerp(lengths[:1], lengths[1:], t)


def _pair(start, end):
    start, end = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
    if start.shape != end.shape or start.ndim != 1:
        raise ValueError(
            f"The vectors have shapes {start.shape} and {end.shape}: give two of shape (latent_dim,)."
        )
    return start, end


def largest_gaps(points, count=5):
    """Find the largest empty circles among points in the plane, with points on all sides.

    The centre of a largest empty circle is one of the Voronoi vertices. Circles that reach beyond the
    convex hull, or overlap one already chosen, are passed over.

    Args:
        points: Shape `(n, 2)`, at least 4 points that are not on one line.
        count: How many circles to look for, 1 or more.

    Returns:
        Centres, shape `(m, 2)`, and radii, shape `(m,)`, largest first; m is at most `count`.

    Raises:
        ValueError: If the points are not at least 4 finite points in the plane, or all lie on one line,
            or `count` is less than 1.
    """
    points = np.asarray(points, dtype=float)
    problem = ValueError(
        f"points has shape {points.shape}: give at least 4 finite points in the plane, not all on one line."
    )
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 4 or not np.isfinite(points).all():
        raise problem
    if count < 1:
        raise ValueError(f"count={count} asks for no circle: give 1 or more.")
    try:
        corners = Voronoi(points).vertices
        sides = ConvexHull(points).equations  # outward normals and offsets: negative inside
    except QhullError as error:
        raise problem from error
    radii = cKDTree(points).query(corners)[0]
    depths = -(corners @ sides[:, :2].T + sides[:, 2]).max(axis=1)
    corners, radii = corners[depths >= radii], radii[depths >= radii]
    chosen = []
    for i in np.argsort(-radii):
        apart = np.linalg.norm(corners[i] - corners[chosen], axis=1) >= radii[i] + radii[chosen]
        if apart.all():
            chosen.append(i)
        if len(chosen) == count:
            break
    return corners[chosen], radii[chosen]


def kl_per_dimension(z_mean, z_log_var):
    """KL divergence from the prior N(0, 1) in each latent dimension, averaged over the images.

    Args:
        z_mean: Shape `(n, latent_dim)`.
        z_log_var: log(sigma^2), same shape.

    Returns:
        Array of shape `(latent_dim,)`, nats. Its sum is the mean of `losses.gaussian_kl`.

    Raises:
        ValueError: If the two arrays differ in shape, or are empty.
    """
    z_mean, z_log_var = _codes(z_mean, z_log_var)
    alone = gaussian_kl(z_mean[..., None], z_log_var[..., None])  # (n, latent_dim): a sum over one
    return np.asarray(alone).mean(axis=0)


def active_units(z_mean):
    """Count the latent dimensions that are in use: those whose posterior mean varies over the images.

    Args:
        z_mean: Posterior means, shape `(n, latent_dim)`.

    Returns:
        Number of dimensions, 0 to latent_dim, in which the variance of `z_mean` over the images exceeds 0.01.

    Raises:
        ValueError: If `z_mean` is not an array of that shape, or is empty.

    Source: Burda, Grosse and Salakhutdinov (2016), section 5.2, arXiv 1509.00519.
    """
    z_mean, _ = _codes(z_mean, z_mean)
    return int((z_mean.var(axis=0) > LEAST_VARIANCE).sum())


def mutual_information(z_mean, z_log_var, seed=0):
    """Estimate the mutual information between image and code from one draw of z for each image.

    The estimate is the mean of log q(z|x) - log q(z), where q(z) is the mixture of the posteriors of all n
    images, the one that z was drawn from included. It can never exceed log(n), however much the code tells:
    near that bound, it only says that the images' posteriors do not overlap.

    Args:
        z_mean: Means of the posteriors, shape `(n, latent_dim)`.
        z_log_var: Their log-variances log(sigma^2), same shape.
        seed: Seed of the draws, or a `numpy.random.Generator`.

    Returns:
        A number in nats, log(n) at most. It is 0, up to chance, if all posteriors are the same. Less the mean
        KL divergence from the prior, it leaves minus the KL divergence of q(z) from the prior.

    Raises:
        ValueError: If the two arrays differ in shape, are empty, or have values that are not finite.

    Source: Hoffman and Johnson (2016), "ELBO surgery".
    """
    z_mean, z_log_var = _codes(z_mean, z_log_var)
    if not (np.isfinite(z_mean).all() and np.isfinite(z_log_var).all()):
        raise ValueError(
            "z_mean or z_log_var has values that are not finite: train the model anew."
        )
    noise = np.random.default_rng(seed).normal(size=z_mean.shape)
    z = z_mean + np.exp(0.5 * z_log_var) * noise
    log_own = -0.5 * (noise**2 + z_log_var).sum(axis=1)  # log q(z|x) + latent_dim * log(2 pi) / 2
    # The same of each z under each posterior j: the square is multiplied out, so that matrices do the work.
    precision = np.exp(-z_log_var)
    constant = (z_log_var + precision * z_mean**2).sum(axis=1)
    log_mixture = []
    for rows in np.array_split(np.arange(len(z)), -(-len(z) // 500)):  # 500 rows of n numbers
        part = z[rows]
        logs = (part @ (precision * z_mean).T) - 0.5 * (part**2 @ precision.T + constant)
        logs[np.arange(len(rows)), rows] = log_own[rows]  # exactly, so that log(n) is a bound
        log_mixture.append(logsumexp(logs, axis=1))
    return float((log_own - np.concatenate(log_mixture)).mean() + np.log(len(z)))


def _codes(z_mean, z_log_var):
    z_mean, z_log_var = np.asarray(z_mean, float), np.asarray(z_log_var, float)
    if z_mean.shape != z_log_var.shape or z_mean.ndim != 2 or len(z_mean) == 0:
        raise ValueError(
            f"z_mean has shape {z_mean.shape}, z_log_var {z_log_var.shape}: give both outputs of "
            "one encoder, of shape (n, latent_dim)."
        )
    return z_mean, z_log_var


def traversal(z, dimension, values):
    """Copy one latent vector for each value, and set one dimension to it.

    Args:
        z: Latent vector, shape `(latent_dim,)`.
        dimension: Which dimension to change, 0 to latent_dim - 1.
        values: The values it takes, shape `(n,)`.

    Returns:
        Array of shape `(n, latent_dim)`.

    Raises:
        ValueError: If `z` is not one vector, or there is no such dimension.
    """
    z = np.asarray(z, dtype=float)
    if z.ndim != 1:
        raise ValueError(f"z has shape {z.shape}: give one latent vector, of shape (latent_dim,).")
    if not 0 <= dimension < z.shape[-1]:
        raise ValueError(
            f"dimension={dimension} does not exist: z has dimensions 0 to {z.shape[-1] - 1}."
        )
    path = np.repeat(z[None], len(values), axis=0)
    path[:, dimension] = values
    return path
