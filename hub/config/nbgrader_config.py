"""Set up nbgrader on a hub for instructors and students; course_config.py lets their servers read this."""

import os
from pathlib import Path

from nbconvert.exporters import NotebookExporter
from traitlets.config import Config

from vae_course.teaching.release import CONFIG

c = get_config()  # noqa: F821  (Jupyter defines it here)
c.merge(Config(CONFIG))
c.CourseDirectory.course_id = "vae-course"
c.Exchange.root = os.environ["VAE_COURSE_EXCHANGE"]
if os.environ["VAE_COURSE_ROLE"] == "instructors":
    c.CourseDirectory.root = str(Path.home() / "nbgrader")  # by `vae-course student --out ~`
else:
    # Users of a hub may share one account of its system, so nbgrader is told who hands in.
    c.CourseDirectory.student_id = os.environ["JUPYTERHUB_USER"]


class Refused(NotebookExporter):
    """Stop nbgrader's own autograde before it changes anything, for it would run foreign code uncaged."""

    def __init__(self, *args, **kwargs):
        raise RuntimeError(
            "nbgrader would run this submission with all of your rights.\n"
            "Grade it in a cage instead. Type in a terminal:\n"
            "vae-course grade ~/nbgrader/submitted --out ~/nbgrader\n"
            "(On a real hub, that is .venv/bin/vae-course in your copy of the course.)"
        )


c.Autograde.exporter_class = Refused
c.FormgradeExtension.debug = False  # or it would print all of this above the list of assignments
