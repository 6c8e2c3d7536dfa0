"""Give the server of each user the settings of the user's role, on any JupyterHub.

`make hub` reads this file. On The Littlest JupyterHub copy it to /opt/tljh/config/jupyterhub_config.d. On
Kubernetes hand it to helm as `values.yaml` says. Admins of the hub are instructors, all others students.
"""

import os

# Where the servers find the folders config, instructors and students, and the exchange of all users.
SETTINGS = os.environ.get("VAE_COURSE_SETTINGS", "/srv/vae-course/hub")
EXCHANGE = os.environ.get("VAE_COURSE_EXCHANGE", "/srv/vae-course/exchange")
# One MNIST for all users, if it is there. On Kubernetes it is in the image.
MNIST = os.environ.get("VAE_COURSE_DATA", "/srv/vae-course/mnist.npz")


def give_role(spawner):
    """Tell a user's server what the user is, just before it starts."""
    role = "instructors" if spawner.user.admin else "students"
    spawner.environment = spawner.environment | {
        "JUPYTER_CONFIG_PATH": f"{SETTINGS}/{role}:{SETTINGS}/config",
        "VAE_COURSE_EXCHANGE": EXCHANGE,
        "VAE_COURSE_ROLE": role,
    }
    if os.path.exists(MNIST):
        spawner.environment["VAE_COURSE_DATA"] = MNIST


c = get_config()  # noqa: F821  (Jupyter defines it here)
c.Spawner.default_url = "/lab"
c.Spawner.pre_spawn_hook = give_role
