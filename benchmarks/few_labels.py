"""Compare ways to classify digits with few labels: `python -m benchmarks.few_labels DATASET [LABELS...]`.

For each number of labels and each of five random choices of labelled images, one row goes to
`vae_course/trained/few-labels-DATASET.csv`, which lesson 9 shows, for each way. A way is a kind of features
with a classifier, chosen with its settings by cross-validation within the labelled images, or one of these:

- augmented: a support vector machine that is also shown moved and rotated copies.
- spreading: labels that spread to the nearest of 5,000 training images without labels.
- cnn, cnn augmented: a small convolutional network, without and with moved and rotated copies.

A row that is there is not measured again, so a run that was stopped goes on where it was.
"""

import csv
import functools
import sys

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
from vae_course.atomic import write_atomically
from vae_course.data import load_digits

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


def feature_makers(dataset, data):
    """Return functions from images to vectors: pixels, PCA, and the posterior means of shipped VAEs."""
    makers = {"pixels": lambda images: images.reshape(-1, 784)}
    for size in (20, 50):
        pca = PCA(size, random_state=0).fit(data.x_train.reshape(-1, 784))
        makers[f"pca-{size}"] = lambda images, pca=pca: pca.transform(images.reshape(-1, 784))
    for name in (f"vae-2-{dataset}", f"vae-50-{dataset}-bernoulli", f"vae-100-{dataset}"):
        encoder = pretrained.load(name)[0].encoder
        predict = functools.partial(encoder.predict, batch_size=500, verbose=0)
        active = predict(data.x_train)[0].var(axis=0) > 0.01
        makers[name] = lambda images, predict=predict, active=active: predict(images)[0][:, active]
    return makers


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


def measure(data, vectors, makers, count, choice):
    """Yield a row for each way: features, method, accuracy in cross-validation (or None), on test images."""
    chosen = choose_labelled(data.y_train, count, choice)
    images, labels = data.x_train[chosen], data.y_train[chosen]
    rest = np.setdiff1d(np.arange(len(data.y_train)), chosen)
    rest = np.random.default_rng(choice).permutation(rest)[:WITHOUT_LABELS]
    known = np.concatenate([labels, np.full(len(rest), -1)])
    keras.utils.set_random_seed(choice)
    copy = augmenter()
    copies = [np.asarray(copy(images, training=True)) for _ in range(COPIES)]
    strongest = [name for name in makers if name.startswith("vae-100")]
    for features, (train, test) in vectors.items():
        if count != ALL_WAYS and features.startswith(("pca-20", "vae-2-")):
            continue
        best = select(train[chosen], labels)
        yield features, "selected", best.best_score_, best.score(test, data.y_test)
        if features in strongest or (count == ALL_WAYS and features == "pixels"):
            spreading = LabelSpreading(kernel="knn", n_neighbors=7, max_iter=100)
            spreading.fit(np.concatenate([train[chosen], train[rest]]), known)
            yield features, "spreading", None, spreading.score(test, data.y_test)
        if count == ALL_WAYS and features in ("pixels", *strongest):
            more = np.concatenate([train[chosen], *map(makers[features], copies)])
            classifier = SVC(C=10).fit(more, np.tile(labels, COPIES + 1))
            yield features, "augmented", None, classifier.score(test, data.y_test)
    for augmented in (False, True) if count == ALL_WAYS else (True,):
        network = train_network(images, labels, choice, augmented)
        accuracy = network.evaluate(data.x_test, data.y_test, batch_size=500, verbose=0)[1]
        yield "pixels", "cnn augmented" if augmented else "cnn", None, accuracy


def main(dataset, *counts):
    """Measure all that is missing, and write the table after each choice."""
    data = load_digits(dataset)
    path = pretrained.FOLDER / f"few-labels-{dataset}.csv"
    rows = []
    if path.exists():
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    makers = feature_makers(dataset, data)
    # All images as vectors, once: encoding them takes longer than most classifiers.
    vectors = {name: (make(data.x_train), make(data.x_test)) for name, make in makers.items()}
    for choice in range(CHOICES):
        for count in map(int, counts or LABELS[dataset]):
            if any((row["labels"], row["choice"]) == (str(count), str(choice)) for row in rows):
                continue
            ways = measure(data, vectors, makers, count, choice)
            for features, method, validation, accuracy in ways:
                validation = "" if validation is None else f"{validation:.4f}"
                values = count, choice, features, method, validation, f"{accuracy:.4f}"
                rows.append(dict(zip(COLUMNS, map(str, values), strict=True)))
                print(*rows[-1].values(), flush=True)
            rows.sort(key=lambda row: (int(row["labels"]), int(row["choice"])))
            with write_atomically(path) as unfinished, open(unfinished, "w", newline="") as file:
                writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
