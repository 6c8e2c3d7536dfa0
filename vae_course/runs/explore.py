"""Write a web page with the explorers of one model: what `vae-course explore` does."""

import base64
import html

import matplotlib.pyplot as plt
import numpy as np

from vae_course import latent, plotting
from vae_course.atomic import write_text
from vae_course.explorers import DigitMorph, DrawADigit, LatentMap, LatentTraversal, front_end
from vae_course.explorers.codes import MOST_CLASSES
from vae_course.models import VAE

MOST = 2000  # test images whose codes are shown
HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body {{ max-width: 940px; margin: 2em auto; padding: 0 1em; font-family: sans-serif; }}
img {{ max-width: 100%; }} figure {{ margin: 0 0 3em; }}</style>
<body><main><h1>{title}</h1><p>{intro}</p>"""
INTRO = (
    "Everything on this page runs in your browser, without Python and without a network: drag a slider or a "
    "cross, or use the arrow keys. Means and pictures to start from are those of {count:,} test images."
)


def explorers_of(model, data):
    """Make the explorers that suit a model.

    Args:
        model: `VAE` or `Autoencoder`.
        data: `Digits` or `Pictures` with test images for its encoder.

    Returns:
        Dictionary from heading to explorer.

    Raises:
        ValueError: If the images do not fit the model, it has layers that the browser cannot run, or its
            codes or pictures are not finite.
    """
    images, labels = data.x_test[:MOST], data.y_test[:MOST]
    if images.shape[1:] != model.encoder.input_shape[1:]:
        raise ValueError(
            f"The images of {data.name} have the shape {images.shape[1:]}, but the model takes "
            f"{model.encoder.input_shape[1:]}: if it was trained on pictures of your own, name the folder of "
            "its run instead of the file."
        )
    own = data.x_train.dtype == np.uint8  # grey pictures of one's own are light, not ink
    if labels.dtype.kind == "U" and len(np.unique(labels)) > MOST_CLASSES:
        labels = np.full(len(labels), "")
    codes = model.encoder.predict(images, batch_size=500, verbose=0)
    codes, log_vars = codes[:2] if isinstance(codes, list) else (codes, None)
    found = {}
    if codes.shape[1] == 2:
        if not own:
            found["Draw a digit"] = DrawADigit(model, images, labels, f"test images, {data.name}")
        models = {type(model).__name__: (model.decoder, codes)}
        gaps = 6 if len(codes) > 50 else 0
        title = f"test images, {data.name}"
        found["The map of all codes"] = LatentMap(models, labels, title, gaps, light=own)
    if isinstance(model, VAE):
        kl = latent.kl_per_dimension(codes, log_vars)
        found["One dimension at a time"] = LatentTraversal(
            model.decoder, codes, labels, kl, light=own
        )
    found["From one picture to another"] = DigitMorph(model.decoder, codes, labels, light=own)
    return found


def write_page(path, model, data, name):
    """Write the page, completely or not at all.

    Args:
        path: Path of the HTML file, in an existing folder.
        model: As in `explorers_of`.
        data: As in `explorers_of`.
        name: What the page calls the model.

    Raises:
        ValueError: As in `explorers_of`.
        OSError: If the file cannot be written.
    """
    with plt.rc_context():
        plotting.use_course_style()
        stored, parts = set(), []
        for heading, explorer in explorers_of(model, data).items():
            shown, about = explorer.still()
            png = base64.b64encode(shown["image/png"]).decode()
            alt = html.escape(about["image/png"]["alt"])
            still = f'<img alt="{alt}" src="data:image/png;base64,{png}">'
            parts += [f"<h2>{heading}</h2>", front_end.embed(explorer.bundle(), still, stored)]
    title = html.escape(f"{name}, {data.name}")
    intro = INTRO.format(count=min(MOST, len(data.x_test)))
    write_text(path, "\n".join([HEAD.format(title=title, intro=intro), *parts, "</main>"]))
