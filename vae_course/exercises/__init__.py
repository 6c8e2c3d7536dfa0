"""Check the exercises: `exercises.check_...(your_answer)` says at once what is right and what is not.

Each check prints its verdict and returns it, and never raises an error. It draws new inputs every time.
A verdict is true if the task is solved. The checks of exercise 3 are in `ex03.py`, and so on.
"""
# ruff: noqa: F401  (imported for the notebooks)

from vae_course.exercises.answers import check_choice, check_choices, check_number
from vae_course.exercises.ex01 import (
    check_encoder,
    check_largest_gap,
    check_nearest_distance,
    check_reconstruction_error,
)
from vae_course.exercises.ex02 import (
    check_gaussian_kl,
    check_kl_monte_carlo,
    check_kl_normal,
    check_log_evidence,
)
from vae_course.exercises.ex03 import check_sample, check_sample_full, check_score_gradient
from vae_course.exercises.ex04 import (
    check_decoder,
    check_sides,
    check_transposed_side,
    check_up_sample,
)
from vae_course.exercises.ex05 import check_own_images, check_own_vae, check_vae_loss
from vae_course.exercises.ex06 import (
    check_arithmetic,
    check_interpolate,
    check_prediction,
    check_property_vector,
    check_slerp,
)
from vae_course.exercises.ex07 import (
    check_bernoulli_log_likelihood,
    check_importance_bound,
    check_log_weights,
)
from vae_course.exercises.ex08 import (
    check_active_units,
    check_beta_for_rate,
    check_diagnosis,
    check_free_bits_kl,
    check_kl_per_dimension,
)
from vae_course.exercises.ex09 import check_leaks, check_pca_error
from vae_course.exercises.own_run import check_effect, check_own_pictures, check_own_run
from vae_course.exercises.riddles import collapsed_models, mystery_curves
