"""Turn a card or scores into the text that `vae-course train` and `vae-course evaluate` print."""

LECTURE = {
    "dataset": "MNIST",
    "latent_dim": 100,
    "beta": 1,
    "epochs": 50,
    "score": [28.217, 0.01979],
}
LABELS = {
    "loss": "loss",
    "reconstruction": "reconstruction",
    "kl": "KL (nats)",
    "mse": "MSE",
    "active_units": "active units",
}
DECIMALS = {"mse": 5, "active_units": 0}  # as in the lecture; otherwise 3


def of_training(card, folder):
    """Summarize a training run.

    Args:
        card: The card of the run.
        folder: Path of its folder.

    Returns:
        Text of several lines.
    """
    done, planned = card["epochs_done"], card["recipe"]["epochs"]
    if card["status"] == "complete":
        epochs = "1 epoch" if planned == 1 else f"{planned} epochs"
        text = f"{epochs} in {card['seconds']:.0f} s, saved in {folder}"
        return "\n".join([text, *_scores(card), *_lecture(card)])
    state = f"the model after epoch {done}" if done else "the untrained model"
    if card["status"] == "diverged":
        rate = card["recipe"]["learning_rate"]
        return (
            f"Stopped in epoch {done + 1} of {planned}: the loss is no longer a finite number, because beta="
            f"{card['beta']:g} or the learning rate, {rate:g}, is too large.\n"
            f"{folder / 'vae.keras'} is {state}. Start again in another folder with a smaller --beta."
        )
    return (
        f"Interrupted after {done} of {planned} epochs: {folder / 'vae.keras'} is {state}.\n"
        f'To resume: vae-course train --resume --out "{folder}"'
    )


def _scores(card):
    score, scatter = (
        ", ".join(_number(name, card[key][name]) for name in ("loss", "mse"))
        for key in ("test_scores", "test_spread")
    )
    yield f"score is [{score}], the mean of {card['passes']} passes over the test set of {card['dataset']}"
    yield f"      +- [{scatter}] from pass to pass"


def _lecture(card):
    theirs, ours = _terms(LECTURE), _terms(card)
    yield f"lecture: {LECTURE['score']} on {theirs}, after {LECTURE['epochs']} epochs"
    if theirs != ours:
        yield f"These two cannot be compared: this run is on {ours}."


def _terms(card):
    return f"{card['dataset']}, latent_dim {card['latent_dim']}, beta {card['beta']:g}"


def of_scores(report):
    """Lay out scores, their spread and their expected ranges as a table.

    Args:
        report: What `evaluate.report` returned.

    Returns:
        Text of several lines.
    """
    beta = "" if report["beta"] is None else f", beta {report['beta']:g}"
    kind = {"vae": "VAE", "ae": "Autoencoder"}[report["kind"]]
    trained = f"trained on {report['trained_on']}, " if report["trained_on"] else ""
    lines = [
        f"{kind}, latent_dim {report['latent_dim']}{beta}",
        f"{trained}scored on the {report['images']:,} test images of {report['dataset']}",
        "",
        f"{'':23}{'mean':>9}{'spread':>10}  expected",
        *_rows(report),
        "",
    ]
    if report["passes"] > 1:
        lines.append(f"spread: standard deviation over {report['passes']} sampling seeds")
    if report["note"]:
        lines.append(f"expected: {report['note']}; judge by the yardstick")
    return "\n".join([*lines, _yardstick(report)])


def _rows(report):
    for name, score in report["scores"].items():
        if report["kind"] == "ae" and name == "loss":
            continue
        label = (
            "reconstruction = loss" if report["kind"] == "ae" and name != "mse" else LABELS[name]
        )
        numbers = f"{_number(name, score['mean']):>9}{_number(name, score['spread']):>10}"
        expected = " to ".join(dict.fromkeys(f"{value:g}" for value in score["expected"] or ()))
        yield f"{label:23}{numbers}  {expected:18}{score['verdict'] or ''}".rstrip()


def _yardstick(report):
    cost, loss = report["yardsticks"]["mean_image"], report["scores"]["loss"]["mean"]
    word = "better" if loss < cost else "NOT better"
    number = _number("loss", cost)
    return f"yardstick: always predicting the mean training image costs {number} (KL 0): this is {word}"


def _number(name, value):
    return f"{value:.{DECIMALS.get(name, 3)}f}"
