"""The explorers: pictures that respond while you drag, or still figures if there are no widgets."""

from vae_course.explorers.draw_a_digit import DrawADigit
from vae_course.explorers.kl import KLExplorer
from vae_course.explorers.latent_map import LatentMap
from vae_course.explorers.morph import DigitMorph
from vae_course.explorers.rate_distortion import RateDistortion
from vae_course.explorers.reparameterization import ReparameterizationExplorer
from vae_course.explorers.staircase import Staircase
from vae_course.explorers.transposed_convolution import TransposedConvolutionExplorer
from vae_course.explorers.traversal import LatentTraversal

__all__ = [
    "DigitMorph",
    "DrawADigit",
    "KLExplorer",
    "LatentMap",
    "LatentTraversal",
    "RateDistortion",
    "ReparameterizationExplorer",
    "Staircase",
    "TransposedConvolutionExplorer",
]
