"""The course's network, trained by one of its recipes, in turns."""

import types

from benchmarks.turns import Turns, callback, settings
from vae_course.data import load_digits
from vae_course.lesson import begin


def scores(model, images, passes):
    """Return loss and MSE on images, averaged over passes with fresh noise each."""
    runs = [
        model.evaluate(images, batch_size=500, verbose=0, return_dict=True) for _ in range(passes)
    ]
    return {key: sum(run[key] for run in runs) / passes for key in ("loss", "mse")}


def main(recipe, seed, turns, images, dataset="mnist", latent_dim=100, passes=0):
    """Train for `turns` epochs, None for the recipe's number; then evaluate `passes` times."""
    channel = Turns()
    begin(seed)
    import keras

    from vae_course import training

    digits = load_digits(dataset)
    data = types.SimpleNamespace(
        x_train=digits.x_train[:images], x_test=digits.x_test, name=digits.name
    )
    channel.start_clock()
    vae, _ = training.train(
        recipe,
        data,
        latent_dim=latent_dim,
        epochs=turns,
        seed=seed,
        callbacks=[callback(keras.callbacks.Callback, channel)],
        validate=False,
    )
    facts = {"train_seconds": sum(channel.seconds), "wall_seconds": channel.wall_seconds()}
    channel.done(**facts, score=scores(vae, data.x_test, passes) if passes else None)


if __name__ == "__main__":
    main(**settings())
