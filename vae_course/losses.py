"""The terms of the VAE's loss and its other likelihoods, as pure functions on tensors.

Each returns one number per image: summed over pixels or latent dimensions, not yet averaged over the
batch. Taking the mean over pixels or dimensions instead would silently change the terms' relative weight.
"""

import math

from keras import ops


def squared_error(x, x_hat):
    """Compute the reconstruction error of each image: the sum of squared differences over its pixels.

    For 28 x 28 images this is 784 times the mean squared error, the lecture's reconstruction loss. It
    equals the negative log-likelihood of a Gaussian decoder with variance 1/2, up to a constant.

    Args:
        x: Images, shape `(batch, height, width, channels)`, values in [0, 1].
        x_hat: Their reconstructions, same shape.

    Returns:
        Tensor of shape `(batch,)`, non-negative.

    Source: lecture, listing `mnist_vae.py`, `r_loss`.
    """
    return ops.sum(ops.square(x - x_hat), axis=(1, 2, 3))


def gaussian_kl(z_mean, z_log_var):
    """Compute the KL divergence of each posterior N(z_mean, exp(z_log_var)) from the prior N(0, 1).

    Args:
        z_mean: Means of the diagonal Gaussians, shape `(batch, latent_dim)`.
        z_log_var: Their log-variances log(sigma^2), same shape.

    Returns:
        Tensor of shape `(batch,)`: nats, summed over the latent dimensions, non-negative.

    Source: Kingma and Welling (2014), appendix B; lecture, slide "KL divergence, implementation".
    """
    per_dimension = ops.exp(z_log_var) + ops.square(z_mean) - 1.0 - z_log_var
    return 0.5 * ops.sum(per_dimension, axis=-1)


def gaussian_nll(x, x_hat, log_s2):
    """Compute -log p(x) of each image when its pixels are normal around a reconstruction.

    Args:
        x: Images, shape `(batch, height, width, channels)`.
        x_hat: Means of the pixels, same shape.
        log_s2: Logarithm of the variance s^2 that all pixels share, a number.

    Returns:
        Tensor of shape `(batch,)`: nats, summed over pixels; a density, so it may be negative.
    """
    log_s2 = ops.cast(log_s2, x_hat.dtype)
    pixels = math.prod(x_hat.shape[1:])
    constant = 0.5 * pixels * (math.log(2 * math.pi) + log_s2)
    return constant + 0.5 * ops.exp(-log_s2) * squared_error(x, x_hat)


def bernoulli_nll(x, logits):
    """Compute -log p(x) of each image when a pixel is 1 with probability sigmoid(logit), and else 0.

    On grey pixels this is the cross-entropy, which is no likelihood.

    Args:
        x: Images, shape `(batch, height, width, channels)`.
        logits: Log-odds of the pixels, same shape.

    Returns:
        Tensor of shape `(batch,)`: nats, summed over pixels, non-negative.

    Source: Kingma and Welling (2014), appendix C.1.
    """
    return ops.sum(ops.softplus(logits) - x * logits, axis=(1, 2, 3))


def continuous_bernoulli_nll(x, logits):
    """Compute -log p(x) of each image under the continuous Bernoulli density on [0, 1].

    The density is the Bernoulli's formula times the constant C that makes its integral 1,
    C = logit / tanh(logit / 2).

    Args:
        x: Images, shape `(batch, height, width, channels)`, values in [0, 1].
        logits: Parameters of the pixels, same shape.

    Returns:
        Tensor of shape `(batch,)`: nats, summed over pixels; a density, so it may be negative.

    Source: Loaiza-Ganem and Cunningham (2019), equations 4 to 6.
    """
    size = ops.maximum(ops.abs(logits), 1e-2)  # below, the series of log C is exact in float32
    log_c = ops.where(
        ops.abs(logits) < 1e-2,
        math.log(2) + ops.square(logits) / 12,
        ops.log(size) - ops.log(ops.tanh(size / 2)),
    )
    return bernoulli_nll(x, logits) - ops.sum(log_c, axis=(1, 2, 3))


def to_logits(probabilities):
    """Undo the sigmoid that a decoder ends with: log(p / (1 - p)), at most 15 in size.

    Args:
        probabilities: Tensor with values in [0, 1].

    Returns:
        Tensor of the same shape.
    """
    least = math.exp(-15)  # float32 cannot tell 1 - 1e-8 from 1
    p = ops.clip(probabilities, least, 1 - least)
    return ops.log(p) - ops.log1p(-p)


def log_mean_exp(log_weights):
    """Average weights that are given by their logarithms, without overflow, over the first axis.

    Args:
        log_weights: Tensor of shape `(draws, batch)`.

    Returns:
        Tensor of shape `(batch,)`. Of log importance weights, this is the importance-weighted bound.

    Source: Burda, Grosse and Salakhutdinov (2016), equation 8.
    """
    return ops.logsumexp(log_weights, axis=0) - math.log(log_weights.shape[0])
