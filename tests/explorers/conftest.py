"""A decoder and codes that are small enough to know by heart."""

import numpy as np
import pytest
from toys import make_decoder


@pytest.fixture(scope="session")
def labels():
    """Give 60 labels, six of each digit."""
    return np.arange(60) % 10


@pytest.fixture(scope="session")
def codes():
    """Give 60 codes of five numbers."""
    return np.random.default_rng(1).normal(size=(60, 5)).astype("float32")


@pytest.fixture(scope="session")
def decoder():
    """Give a decoder for five numbers."""
    return make_decoder(5)
