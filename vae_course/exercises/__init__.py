"""Checks of the exercises: `exercises.check_...(your_answer)` tells at once what is right and what is not.

Each check prints its verdict and returns it; none of them raises, whatever it is given. Inputs are drawn
afresh each time. A verdict is true if the task is solved.
"""

from vae_course.exercises.answers import check_choice, check_choices, check_number
from vae_course.exercises.gaps import check_largest_gap, check_nearest_distance
from vae_course.exercises.kl import check_gaussian_kl, check_kl_normal, check_log_evidence
from vae_course.exercises.losses import check_reconstruction_error, check_vae_loss
from vae_course.exercises.monte_carlo import check_kl_monte_carlo
from vae_course.exercises.networks import check_decoder, check_encoder
from vae_course.exercises.own import check_own_images, check_own_vae
from vae_course.exercises.paths import (
    check_arithmetic,
    check_interpolate,
    check_prediction,
    check_property_vector,
    check_slerp,
)
from vae_course.exercises.sampling import check_sample, check_sample_full, check_score_gradient
from vae_course.exercises.sizes import check_sides, check_transposed_side, check_up_sample

__all__ = [
    "check_arithmetic",
    "check_choice",
    "check_choices",
    "check_decoder",
    "check_encoder",
    "check_gaussian_kl",
    "check_interpolate",
    "check_kl_monte_carlo",
    "check_kl_normal",
    "check_largest_gap",
    "check_log_evidence",
    "check_nearest_distance",
    "check_number",
    "check_own_images",
    "check_own_vae",
    "check_prediction",
    "check_property_vector",
    "check_reconstruction_error",
    "check_sample",
    "check_sample_full",
    "check_score_gradient",
    "check_sides",
    "check_slerp",
    "check_transposed_side",
    "check_up_sample",
    "check_vae_loss",
]
