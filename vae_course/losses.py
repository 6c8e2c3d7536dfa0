"""The two terms of the VAE's loss, as pure functions on tensors.

Both return one number per image: summed over pixels or latent dimensions, not yet averaged over the
batch. Taking the mean over pixels or dimensions instead would silently change the terms' relative weight.
"""

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
