"""Turn a card or scores into the text that `vae-course train` and `vae-course evaluate` print."""

from vae_course.runs.files import LECTURES

LECTURE = "MNIST, latent_dim 100, beta 1"  # what its score was measured on
LABELS = {"kl": "KL (nats)", "mse": "MSE", "active_units": "active units"}
MOST_NAMED = 20  # pictures that are left out
DECIMALS = {"mse": 5, "active_units": 0}  # as in the lecture; otherwise 3


def of_training(card, folder):
    """Summarize a training run.

    Args:
        card: Its card.
        folder: Path of its folder.

    Returns:
        Text of several lines.
    """
    done, planned = card["epochs_done"], card["recipe"]["epochs"]
    state = f"the model after epoch {done}" if done else "the untrained model"
    if card["status"] == "diverged":
        rate = card["recipe"]["learning_rate"]
        return (
            f"Stopped in epoch {done + 1} of {planned}: the loss is no longer a finite number, because beta="
            f"{card['beta']:g} or the learning rate, {rate:g}, is too large.\n"
            f"{folder / 'vae.keras'} is {state}. Start again in another folder with a smaller --beta."
        )
    if card["status"] == "interrupted":
        return (
            f"Interrupted after {done} of {planned} epochs: {folder / 'vae.keras'} is {state}.\n"
            f'To resume: vae-course train --resume --out "{folder}"'
        )
    ours = f"{card['dataset']}, {_of_model(card)}"
    scores, spreads = (
        ", ".join(_number(name, card[key][name]) for name in ("loss", "mse"))
        for key in ("test_scores", "test_spread")
    )
    text = (
        f"{planned} epoch{'s' * (planned > 1)} in {card['seconds']:.0f} s, saved in {folder}\n"
        f"score is [{scores}], the mean of {card['passes']} passes over the test set of {card['dataset']}\n"
        f"      +- [{spreads}] from pass to pass\n"
    )
    if "pictures" not in card:
        text += f"lecture: [28.217, 0.01979] on {LECTURE}, after 50 epochs\n"
        if ours != LECTURE:
            text += f"These two cannot be compared: this run is on {ours}.\n"
    return f'{text}To look around in it: vae-course explore "{folder}"'


def of_pictures(data):
    """Say what `load_pictures` found, and name what it left out.

    Args:
        data: What it returned.

    Returns:
        Text of several lines.
    """
    colour = "in colour" if data.x_train.shape[3] == 3 else "in grey"
    height, width = data.x_train.shape[1:3]
    lines = [
        f"{len(data.x_train):,} pictures to train on, {len(data.x_test):,} to test with, "
        f"{height} x {width} pixels, {colour}"
    ]
    left_out = [f"left out: {name} {reason}" for name, reason in data.left_out.items()]
    lines += left_out[:MOST_NAMED]
    if more := left_out[MOST_NAMED:]:
        lines.append(f"left out: {len(more):,} more")
    return "\n".join(lines)


def of_scores(report):
    """Lay out scores, their spread and their expected ranges.

    Args:
        report: What `evaluate.report` returned.

    Returns:
        Text of several lines.
    """
    scores, cost = dict(report["scores"]), report["yardsticks"]["mean_image"]
    word = "better" if scores["loss"]["mean"] < cost else "NOT better"
    kind, labels = "VAE, ", LABELS
    if report["kind"] == "ae":
        kind = f"Autoencoder, latent_dim {report['latent_dim']}"
        labels = LABELS | {"loss": "reconstruction = loss"}
        del scores["reconstruction"]
    else:
        kind += _of_model(report)
    trained = f"trained on {report['trained_on']}, " if report["trained_on"] else ""
    lines = [
        kind,
        f"{trained}scored on the {report['images']:,} test images of {report['dataset']}",
        f"\n{'':23}{'mean':>9}{'spread':>10}  expected",
    ]
    for name, score in scores.items():
        numbers = f"{_number(name, score['mean']):>9}{_number(name, score['spread']):>10}"
        expected = " to ".join(dict.fromkeys(f"{value:g}" for value in score["expected"] or ()))
        row = f"{labels.get(name, name):23}{numbers}  {expected:18}{score['verdict'] or ''}"
        lines.append(row.rstrip())
    lines.append("")
    if report["passes"] > 1:
        lines.append(f"spread: standard deviation over {report['passes']} sampling seeds")
    if report["note"]:
        lines.append(f"expected: {report['note']}; judge by the yardstick")
    yardstick = f"always predicting the mean training image costs {_number('loss', cost)} (KL 0)"
    lines.append(f"yardstick: {yardstick}: this is {word}")
    if report.get("log_likelihood"):
        lines.append(
            "log p(x): {mean:.2f} nats, standard error {standard_error:.2f}, by {draws:,} draws for each of "
            "{images:,} images\n"
            "          (a lower bound on average; median effective sample size "
            "{median_effective_sample_size:.1f})".format(**report["log_likelihood"])
        )
    return "\n".join(lines)


def _of_model(settings):
    """List what two models must have in common before their losses may be compared."""
    settings = LECTURES | settings
    text = f"latent_dim {settings['latent_dim']}, beta {settings['beta']:g}"
    others = [f", {key} {settings[key]}" for key in LECTURES if settings[key] != LECTURES[key]]
    return text + "".join(others)


def _number(name, value):
    return f"{value:.{DECIMALS.get(name, 3)}f}"
