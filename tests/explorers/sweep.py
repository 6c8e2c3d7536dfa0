"""A small sweep that was never trained: a table and a gallery in the form of the shipped ones."""

import numpy as np

BETAS = (0.1, 0.5, 1.0, 4.0, 20.0)


def make_sweep(betas=BETAS, seeds=3, latent_dim=12):
    """Make a table of runs and their pictures, with numbers of which each is different.

    Args:
        betas: Weights of the KL term.
        seeds: Runs for each of them.
        latent_dim: Dimensions of the codes.

    Returns:
        The table, a list of dictionaries, and the gallery, a dictionary of arrays.
    """
    dice = np.random.default_rng(0)
    table = []
    for beta in betas:
        for seed in range(seeds):
            rate = 30 / (0.3 + beta) + dice.normal(scale=0.1)
            table.append(
                {
                    "beta": beta,
                    "seed": seed,
                    "reconstruction": 8 + 45 * np.exp(-rate / 12) + dice.normal(scale=0.1),
                    "kl": rate,
                    "active_units": int(latent_dim / (1 + beta)) + (seed == 2),
                }
            )
    count = len(betas)
    gallery = {
        "beta": np.array(betas),
        "originals": dice.integers(0, 256, (8, 28, 28)).astype("uint8"),
        "reconstructions": dice.integers(0, 256, (count, 8, 28, 28)).astype("uint8"),
        "samples": dice.integers(0, 256, (count, 8, 28, 28)).astype("uint8"),
        "kl_per_dimension": dice.gamma(0.7, 2 / np.sqrt(betas)[:, None], (count, latent_dim)),
    }
    gallery["kl_per_dimension"] = gallery["kl_per_dimension"].astype("float32")
    return table, gallery
