"""The explorers: pictures that answer while you drag, or still figures where no JavaScript runs."""

import importlib

_MODULES = {
    "DigitMorph": "morph",
    "DrawADigit": "draw_a_digit",
    "Handwriting": "handwriting",
    "KLExplorer": "kl",
    "LatentMap": "latent_map",
    "LatentTraversal": "traversal",
    "RateDistortion": "rate_distortion",
    "ReparameterizationExplorer": "reparameterization",
    "Staircase": "staircase",
    "TransposedConvolutionExplorer": "transposed_convolution",
}
__all__ = list(_MODULES)


def __getattr__(name):
    """Import an explorer when it is first asked for: pages and decks need only `front_end`, not Keras."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
