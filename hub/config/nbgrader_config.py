"""Set up nbgrader for a hub, for instructors and students alike.

JUPYTER_CONFIG_PATH names the folder of this file, VAE_COURSE_EXCHANGE a folder that everybody may write into,
and VAE_COURSE_INSTRUCTORS the instructors' user names.
"""

import os
from pathlib import Path

from nbconvert.exporters import NotebookExporter
from traitlets.config import Config

from vae_course.teaching.release import CONFIG

c = get_config()  # noqa: F821  (Jupyter defines it here)
c.merge(Config(CONFIG))
c.CourseDirectory.course_id = "vae-course"
c.Exchange.root = os.environ["VAE_COURSE_EXCHANGE"]
user = os.environ.get("JUPYTERHUB_USER", "")
if user in os.environ["VAE_COURSE_INSTRUCTORS"].split():
    c.CourseDirectory.root = str(Path.home() / "nbgrader")  # by `vae-course student --out ~`
else:
    # Users of a hub may share one account of its system, so nbgrader is told who hands in.
    c.CourseDirectory.student_id = user


class Refused(NotebookExporter):
    """Stop nbgrader's own autograde before it changes anything, for it would run foreign code uncaged."""

    def __init__(self, *args, **kwargs):
        raise RuntimeError(
            "nbgrader would run this submission with all of your rights. Grade it in a cage instead, in a "
            "terminal: vae-course grade ~/nbgrader/submitted --out ~/nbgrader --feedback"
        )


c.Autograde.exporter_class = Refused
