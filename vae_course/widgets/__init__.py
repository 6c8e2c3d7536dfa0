"""The explorers: pictures that answer while you drag; where there are no widgets, still figures."""

from vae_course.widgets.kl import KLExplorer
from vae_course.widgets.latent_map import LatentMap
from vae_course.widgets.morph import DigitMorph
from vae_course.widgets.reparameterization import ReparameterizationExplorer
from vae_course.widgets.transposed_convolution import TransposedConvolutionExplorer
from vae_course.widgets.traversal import LatentTraversal

__all__ = [
    "DigitMorph",
    "KLExplorer",
    "LatentMap",
    "LatentTraversal",
    "ReparameterizationExplorer",
    "TransposedConvolutionExplorer",
]
