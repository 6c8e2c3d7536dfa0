"""Compare ways to classify digits with few labels: `python -m benchmarks.few_labels DATASET [COUNTS...]`.

For each number of labels and each of five random choices of labelled images, one row goes to
`vae_course/trained/few-labels-DATASET.csv`, which lesson 9 shows, for each way. A way is a kind of features
with a classifier, chosen with its settings by cross-validation within the labelled images, or one of these:

- augmented: a support vector machine that is also shown moved and rotated copies.
- spreading: labels that spread to the nearest of 5,000 training images without labels. How many principal
  components suit them is chosen by cross-validation within the labelled images, too.
- cnn, cnn augmented: a small convolutional network, without and with moved and rotated copies.

A row that is there is not measured again, so a run that was stopped goes on where it was.
"""

import functools

import click
import keras
import numpy as np
from keras import layers
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelSpreading
from sklearn.svm import SVC

from vae_course import pretrained
from vae_course.atomic import write_rows
from vae_course.data import DataNotFoundError, load_digits

LABELS = {"mnist": (20, 100, 300, 1000, 5000), "digits": (20, 100, 300, 1000)}
CHOICES = 5
COPIES = 20  # of each labelled image, moved and rotated
STEPS, EPOCHS = 800, 30  # of the network's training, at least
WITHOUT_LABELS = 5_000
ALL_WAYS = 100  # With so many labels all ways are compared; with others, those that say most.
FEW = 300  # Up to so many labels, several classifiers are tried; with more, only one.
COLUMNS = "labels", "choice", "features", "method", "validation", "accuracy"
CLASSIFIERS = [
    (SVC(), {"C": [1, 10]}),
    (LogisticRegression(max_iter=2000), {"C": [0.003, 0.03, 0.3, 3]}),
    (KNeighborsClassifier(), {"n_neighbors": [1, 3, 5]}),
]


def choose_labelled(labels, count, choice):
    """Return the places of `count` images, equally many of each digit; `choice` is the seed."""
    rng = np.random.default_rng(choice)
    each = (rng.permutation(np.flatnonzero(labels == digit))[: count // 10] for digit in range(10))
    return np.concatenate(list(each))


def list_features(dataset):
    """Return the names of all kinds of features: pixels, PCA, and the posterior means of shipped VAEs."""
    vaes = f"vae-2-{dataset}", f"vae-50-{dataset}-bernoulli", f"vae-100-{dataset}"
    return ["pixels", "pca-20", "pca-50", *vaes]


def find_features(name, data):
    """Return the function from images to vectors of one kind, fitted to all training images."""
    if name == "pixels":
        return lambda images: images.reshape(-1, 784)
    if name.startswith("pca-"):
        pca = PCA(int(name.removeprefix("pca-")), random_state=0)
        pca.fit(data.x_train.reshape(-1, 784))
        return lambda images: pca.transform(images.reshape(-1, 784))
    encoder = pretrained.load(name)[0].encoder
    predict = functools.partial(encoder.predict, batch_size=500, verbose=0)
    active = predict(data.x_train)[0].var(axis=0) > 0.01
    return lambda images: predict(images)[0][:, active]


def select(x, y):
    """Return the search that found the best classifier for these labelled vectors, by cross-validation."""
    if len(y) > FEW:
        return GridSearchCV(SVC(), {"C": [10]}, cv=3).fit(x, y)
    folds = StratifiedKFold(min(5, len(y) // 10), shuffle=True, random_state=0)
    searches = []
    for classifier, settings in CLASSIFIERS:
        searches.append(GridSearchCV(classifier, settings, cv=folds).fit(x, y))
        # Once more with all features of the same scale.
        scaled = make_pipeline(StandardScaler(), classifier)
        step = scaled.steps[-1][0]
        settings = {f"{step}__{name}": values for name, values in settings.items()}
        searches.append(GridSearchCV(scaled, settings, cv=folds).fit(x, y))
    return max(searches, key=lambda search: search.best_score_)


def augmenter():
    """Return layers that move an image by up to 2 pixels and rotate it by up to 11 degrees."""
    moved = layers.RandomTranslation(0.07, 0.07, fill_mode="constant")
    return keras.Sequential([moved, layers.RandomRotation(0.03, fill_mode="constant")])


def train_network(images, labels, seed, augmented):
    """Train a small convolutional network on the labelled images."""
    keras.utils.set_random_seed(seed)
    network = keras.Sequential([keras.Input((28, 28, 1))])
    for layer in augmenter().layers if augmented else ():
        network.add(layer)
    for filters in (32, 64):
        network.add(layers.Conv2D(filters, 3, activation="relu"))
        network.add(layers.MaxPooling2D())
    network.add(layers.Flatten())
    network.add(layers.Dropout(0.5))
    network.add(layers.Dense(10, activation="softmax"))
    network.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    epochs = max(EPOCHS, STEPS // -(-len(labels) // 32))
    network.fit(images, labels, batch_size=32, epochs=epochs, verbose=0)
    return network


def list_ways(names, count):
    """Return the ways that are compared with so many labels.

    Args:
        names: Names of the kinds of features.
        count: Number of labelled images.

    Returns:
        List of pairs of features and method.
    """
    ways = []
    for features in names:
        strongest = features.startswith("vae-100")
        if count == ALL_WAYS or not features.startswith(("pca-20", "vae-2-")):
            ways.append((features, "selected"))
        if features.startswith(("pca-", "vae-100")) or (count == ALL_WAYS and features == "pixels"):
            ways.append((features, "spreading"))
        if count == ALL_WAYS and (strongest or features == "pixels"):
            ways.append((features, "augmented"))
    networks = ("cnn", "cnn augmented") if count == ALL_WAYS else ("cnn augmented",)
    return [*ways, *(("pixels", method) for method in networks)]


def spread(x, y, others):
    """Let the labels `y` of the vectors `x` spread to `others`, and return the classifier."""
    known = np.concatenate([y, np.full(len(others), -1)])  # -1 stands for "no label"
    spreading = LabelSpreading(kernel="knn", n_neighbors=7, max_iter=100)
    return spreading.fit(np.concatenate([x, others]), known)


def validate_spreading(x, y, others):
    """Return the accuracy of spreading in cross-validation, on labelled vectors whose label is kept back."""
    folds = StratifiedKFold(min(5, len(y) // 10), shuffle=True, random_state=0).split(x, y)
    scores = []
    for told, kept in folds:
        spreading = spread(x[told], y[told], np.concatenate([x[kept], others]))
        scores.append(spreading.score(x[kept], y[kept]))
    return np.mean(scores)


def measure(data, vectors, maker, way, count, choice):
    """Measure one way with one choice of labelled images.

    Args:
        data: The digits.
        vectors: Function from the name of features to the vectors of all training and of all test images.
        maker: Function from the name of features to the function that makes its vectors.
        way: Features and method, as `list_ways` names them.
        count: Number of labelled images.
        choice: Which of them, a seed.

    Returns:
        Accuracy in cross-validation, or None where nothing was chosen by it, and on the test images.
    """
    features, method = way
    chosen = choose_labelled(data.y_train, count, choice)
    images, labels = data.x_train[chosen], data.y_train[chosen]
    if method.startswith("cnn"):
        network = train_network(images, labels, choice, method == "cnn augmented")
        return None, network.evaluate(data.x_test, data.y_test, batch_size=500, verbose=0)[1]
    train, test = vectors(features)
    validation = None
    if method == "selected":
        classifier = select(train[chosen], labels)
        validation = classifier.best_score_
    elif method == "spreading":
        rest = np.setdiff1d(np.arange(len(data.y_train)), chosen)
        rest = np.random.default_rng(choice).permutation(rest)[:WITHOUT_LABELS]
        classifier = spread(train[chosen], labels, train[rest])
        if features.startswith("pca-"):
            validation = validate_spreading(train[chosen], labels, train[rest])
    else:
        keras.utils.set_random_seed(choice)
        copy = augmenter()
        make = maker(features)
        copies = [make(np.asarray(copy(images, training=True))) for _ in range(COPIES)]
        more = np.concatenate([train[chosen], *copies])
        classifier = SVC(C=10).fit(more, np.tile(labels, COPIES + 1))
    return validation, classifier.score(test, data.y_test)


def read_table(path):
    """Return the rows that have been measured, as they are written; none if there is no file."""
    rows = pretrained.read_rows(path) if path.exists() else []
    for row in rows:
        for name in ("validation", "accuracy"):
            row[name] = "" if row[name] is None else f"{row[name]:.4f}"
    return rows


@click.command()
@click.argument("dataset", type=click.Choice(list(LABELS)))
@click.argument("counts", type=int, nargs=-1)
def main(dataset, counts):
    """Measure all ways on DATASET with each of COUNTS labels, tens of them, and write the table."""
    for count in counts:
        if count < 20 or count % 10:
            raise click.BadParameter(
                f"{count} labels are not 20, 30, 40 or another number of tens."
            )
    try:
        data = load_digits(dataset)
    except DataNotFoundError as error:
        raise click.BadParameter(str(error)) from error
    most = 10 * np.bincount(data.y_train, minlength=10).min()
    if max(counts, default=0) > most:
        raise click.BadParameter(
            f"{data.name} has no more than {most} labels, equally many of each digit."
        )
    path = pretrained.FOLDER / f"few-labels-{dataset}.csv"
    rows = read_table(path)
    done = {(row["labels"], row["choice"], row["features"], row["method"]) for row in rows}
    # Only features that are missing are made, once: encoding all images takes longer than most classifiers.
    maker = functools.cache(lambda name: find_features(name, data))
    vectors = functools.cache(lambda name: tuple(map(maker(name), (data.x_train, data.x_test))))
    for choice in range(CHOICES):
        for count in counts or LABELS[dataset]:
            for way in list_ways(list_features(dataset), count):
                if (count, choice, *way) in done:
                    continue
                scores = measure(data, vectors, maker, way, count, choice)
                scores = ["" if score is None else f"{score:.4f}" for score in scores]
                rows.append(dict(zip(COLUMNS, (count, choice, *way, *scores), strict=True)))
                done.add((count, choice, *way))
                print(*rows[-1].values(), flush=True)
            rows.sort(key=lambda row: (row["labels"], row["choice"]))
            write_rows(path, rows)


if __name__ == "__main__":
    main()
