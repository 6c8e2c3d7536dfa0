"""Stand in for `vae_course.exercises` in the cage that a submission runs in, where no answers are.

There this file takes the place of `__init__.py`. The checks are called outside the cage.
"""

from vae_course.exercises.verdict import Verdict


def __getattr__(name):
    """Return one of the riddles, or a check that leaves the verdict to whoever grades."""
    if name.startswith("check_"):
        return lambda *args, **kwargs: Verdict("This is checked when the notebook is graded.", None)
    if name in ("collapsed_models", "mystery_curves"):
        from vae_course.exercises import riddles

        return getattr(riddles, name)
    raise AttributeError(f"vae_course.exercises has no {name!r} where submissions are graded.")
