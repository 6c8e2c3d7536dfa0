"""The benchmarks: statistics, tables and turn-taking; what they measure is not tested, but how."""

import copy
import dataclasses
import hashlib
import importlib.util
import itertools
import json
import re
import subprocess
import sys
import tarfile
import time
import types
import zipfile
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from pins import ROOT

from benchmarks import bench, beyond_digits, heart, other_alarms, own_pictures, report, turns
from benchmarks.turns import WorkerError, conduct, interleave
from vae_course import pretrained
from vae_course.data import load_heart


def trained(seconds, losses=(43.0, 35.0, 33.0), parameters=490_985, **more):
    """Give what a worker that trains says; the first turn is warm-up."""
    taken = [
        {"seconds": s, "loss": loss, "others_percent": 0.0}
        for s, loss in zip(seconds, losses, strict=True)
    ]
    train = {"train_seconds": sum(seconds), "wall_seconds": sum(seconds) + 1, "peak_mb": 900.0}
    return {"parameters": parameters, "turns": taken, "score": None, **train, **more}


@pytest.fixture
def results():
    """Give made-up results of a full run with round numbers."""
    peak = [{"seconds": 1.0, "gflops": g, "others_percent": 0.0} for g in (90.0, 100.0)]
    ours = [trained((9, 5, s), score={"loss": 28.0, "mse": 0.02}) for s in (5, 7)]
    return {
        "mode": "full",
        "images_per_turn": 60_000,
        "machine": {
            **{"cpu": "Abacus", "cores": 2, "memory_gb": 8.0, "system": "Any 1", "python": "3.11"},
            **{"versions": {"keras": "3.15.1"}, "date": "2020-01-02"},
        },
        "startup": [{"begin(1)": s, "all": s + 1} for s in (3.0, 1.0, 2.0)],
        "decoding": {
            "images_per_second": {"encode": 12_345.6, "decode": 6_000.0},
            "one_vector_ms": {"decoder(z)": [1.5, 2.5]},
        },
        "contest": {
            "script": trained((14, 10, 12), score={"loss": 28.2, "mse": 0.0198}),
            "lecture": trained((9, 8, 8), (44.0, 35.0, 33.0)),
            "fast-1": ours[0],
            "fast-2": ours[1],
            "torch": trained((9, 20, 22)),
            "matmul": {"flop_per_image": 17_724_672, "turns": peak},
        },
    }


def test_multiply_adds_of_each_layer_are_those_counted_by_hand():
    """Pixels that the kernel is laid on, times the kernel's size."""
    from benchmarks.worker_course import multiply_adds
    from vae_course.models import build_decoder, build_encoder

    networks = build_encoder(100), build_decoder(100)
    counts = [multiply_adds(layer) for network in networks for layer in network.layers]
    assert [count for count in counts if count] == [
        28 * 28 * 3 * 3 * 1 * 16,  # 112,896
        14 * 14 * 3 * 3 * 16 * 32,  # 903,168
        1568 * 100,
        1568 * 100,
        100 * 1568,
        7 * 7 * 3 * 3 * 32 * 32,  # 451,584
        14 * 14 * 3 * 3 * 32 * 16,  # 903,168
        28 * 28 * 3 * 3 * 16 * 1,  # 112,896
    ]


def test_medians_and_ratios(results):
    """Warm-up is left out, seeds are pooled, and the script is 1."""
    rows = report.epochs(results)
    medians = {"script": 11.0, "lecture": 8.0, "fast": 5.0, "torch": 21.0}  # fast: of 5, 5, 5, 7
    assert {name: row["median"] for name, row in rows.items()} == medians
    assert [row["speed"] for row in rows.values()] == [1.0, 11 / 8, 11 / 5, 11 / 21]
    assert (rows["fast"]["max"], rows["script"]["warm_up"]) == (7, 14)
    assert rows["script"]["gflops"] == pytest.approx(17_724_672 * 60_000 / 11 / 1e9)
    assert rows["script"]["of_peak"] == pytest.approx(0.9668, abs=1e-4)


def test_partial_turns_are_extrapolated_and_say_so(results):
    """15,000 images in 11 seconds are 60,000 in 44."""
    results["images_per_turn"] = 15_000
    assert report.epochs(results)["script"]["median"] == 44.0
    assert "one epoch of 15,000 images; **seconds are extrapolated**" in report.render(results)


def test_whole_trainings_are_compared_when_every_seed_reaches_the_score(results):
    """Seconds of all epochs, warm-up included: 36 against the median of 19 and 21."""
    assert report.to_score(results) == (2, [36 / 20, 37 / 21])
    text = report.render(results)
    assert "every seed, **1.80 times as fast** (1.76 times with building" in text


def test_a_score_that_is_not_reached_gives_no_ratio(results):
    """One seed above the script's score is enough."""
    results["contest"]["fast-2"]["score"]["loss"] = 28.21
    text = report.render(results)
    assert "**The fast recipe has not reached** the script's own test score of 28.200" in text
    assert "1 of 2 seeds" in text and "with every seed" not in text


def test_the_short_mode_compares_no_whole_trainings(results):
    """And says where they are compared."""
    for facts in results["contest"].values():
        facts["score"] = None
    assert "make bench FULL=1" in report.score_section(results)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda c: c["lecture"].update(parameters=1), "same number of parameters"),
        (lambda c: c["lecture"]["turns"][0].update(loss=60.0), "'lecture' does not train as"),
        (lambda c: c["lecture"]["turns"][1].update(loss=32.0), "'lecture' does not train as"),
        (lambda c: c["script"]["turns"][1].update(others_percent=99.0), "was not idle"),
        (lambda c: c.pop("torch"), "PyTorch was not installed"),
    ],
)
def test_what_makes_a_comparison_unfair_is_said(results, change, words):
    """In the results themselves, not only on the terminal; a fair one has no remark."""
    assert report.remarks(results) == []
    unfair = copy.deepcopy(results)
    change(unfair["contest"])
    (remark,) = report.remarks(unfair)
    assert words in remark and f"**{remark}**" in report.render(unfair)


def test_the_report_has_every_section_and_number(results):
    """Each with an aligned table, but for the method."""
    parts = dict(re.findall(r"^## (.*?)\n\n(.*?)(?=\n## |\Z)", report.render(results), re.M | re.S))
    assert list(parts) == list(report.SECTIONS)
    assert all("| ---" in part for title, part in parts.items() if title != "How it was measured")
    assert parts["Start-up"].splitlines()[:3] == [
        "| fresh interpreter, median of 3        | seconds |",
        "| ------------------------------------- | ------: |",
        "| `begin(1)`                            |    2.00 |",
    ]
    assert "12,346" in parts["Encoding and decoding"]
    assert "17.72 MFLOP" in parts["Arithmetic"] and "100 GFLOP/s" in parts["Arithmetic"]


def test_the_committed_results_are_of_a_full_run():
    """With every section, and without a place-holder."""
    text = (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
    assert set(report.SECTIONS) <= set(re.findall(r"^## (.*)$", text, re.M))
    assert "in full mode" in text and "extrapolated" not in text


@pytest.mark.parametrize("options, written", [([], False), (["--write"], True), (["--full"], True)])
def test_one_command_measures_prints_and_keeps(results, monkeypatch, tmp_path, options, written):
    """RESULTS.md is written by a full run, or when asked for; the JSON file always."""
    plans = []
    fakes = {"measure": lambda plan, say: results, "require": plans.append, "ROOT": tmp_path}
    for name, value in fakes.items():
        monkeypatch.setattr(bench, name, value)
    (tmp_path / "benchmarks").mkdir()
    outcome = CliRunner().invoke(bench.main, options)
    assert outcome.exit_code == 0 and "## Seconds per epoch" in outcome.output
    assert plans == [bench.FULL if "--full" in options else bench.SHORT]
    kept = json.loads((tmp_path / "build" / "bench.json").read_text(encoding="utf-8"))
    assert kept == results
    assert (tmp_path / "benchmarks" / "RESULTS.md").exists() == written


def test_the_machine_is_described_without_its_name():
    """Plain values for the JSON file."""
    facts = bench.describe()
    assert facts["cores"] >= 1 and facts["memory_gb"] > 0 and facts["cpu"]
    assert re.fullmatch(r"\d+\.\d+.*", facts["versions"]["tensorflow"])
    assert json.loads(json.dumps(facts)) == facts


# Turns


def paint(channel, turns, last=None):
    """Be a worker that needs nothing: it notes when each of its turns began and ended."""
    for turn in range(turns):
        channel.begin(turns=turns, parameters=7)
        if last == "dies" and turn == 1:
            sys.exit("out of paint")
        if last == "sleeps" and turn == 1:
            time.sleep(600)
        start = time.time()
        time.sleep(0.02)
        channel.end(span=[start, time.time()])
    channel.done(lambda: {"loss": 1.0})


def painter(turns, last=None):
    """Give a contestant for `conduct`."""
    return (__name__, "paint", {"turns": turns, "last": last})


@pytest.fixture
def processes(monkeypatch):
    """Keep the processes that were started, and do not pause between turns."""
    kept, worker = [], turns._Worker

    class Kept(worker):
        def __init__(self, *args):
            super().__init__(*args)
            kept.append(self.process)

    monkeypatch.setattr(turns, "_Worker", Kept)
    monkeypatch.setattr(turns, "PAUSE", 0.0)
    return kept


def test_turns_are_spread_evenly():
    """A contestant with few turns meets early and late ones of the others."""
    assert "".join(interleave({"a": 6, "b": 2, "c": 1})) == "aabacaaba"
    assert interleave({"a": 2, "b": 2}) == ["a", "b", "a", "b"]


def test_workers_take_turns_and_never_compute_at_once(processes):
    """Each one's turns arrive in order, and all processes have ended at the end."""
    lines = []
    facts = conduct({"a": painter(3), "b": painter(2)}, lines.append)
    spans = sorted(turn["span"] for worker in facts.values() for turn in worker["turns"])
    assert len(spans) == 5 and [line[0] for line in lines] == list("ababa")
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))
    assert (facts["a"]["parameters"], facts["a"]["score"]) == (7, {"loss": 1.0})
    assert facts["a"]["peak_mb"] > 1
    assert not any(process.is_alive() for process in processes)


def test_waiting_is_not_counted(monkeypatch):
    """A clock that moves only when told: 5 s of building, three turns of 2 s, other work, and long waits."""
    now, said = [0.0], []

    def work(seconds):
        now[0] += seconds

    line = types.SimpleNamespace(send=said.append, recv=lambda: work(100))
    monkeypatch.setattr(turns.time, "perf_counter", lambda: now[0])
    channel = turns.Turns(line)
    work(50)  # loading
    channel.start_clock()
    work(5)
    for _ in range(3):
        channel.begin(turns=3)
        work(2)
        channel.end(loss=1.0)
        work(3)  # slowed down by somebody else's turn
    channel.done(lambda: work(70))
    assert said[:2] == [{"turns": 3}, {"seconds": 2.0, "loss": 1.0}]
    assert (said[-1]["train_seconds"], said[-1]["wall_seconds"]) == (6, 11)


@pytest.mark.parametrize("other", [painter(3, "dies"), ("nowhere", "", {})])
def test_a_worker_that_dies_is_named(processes, other):
    """And the others are ended."""
    with pytest.raises(WorkerError, match="'b' died"):
        conduct({"a": painter(3), "b": other})
    assert len(processes) == 2 and not any(process.is_alive() for process in processes)


def test_a_worker_that_does_not_answer_is_given_up(processes, monkeypatch):
    """After the patience that there is, here from the second turn on."""
    with pytest.raises(WorkerError, match="'a' gave no answer within 0.1 seconds"):
        conduct(
            {"a": painter(3, "sleeps")}, lambda line: monkeypatch.setattr(turns, "PATIENCE", 0.1)
        )
    assert not processes[0].is_alive()


def test_a_failing_worker_ends_the_command_with_one_message(monkeypatch):
    """No traceback."""

    def measure(plan, say):
        raise WorkerError("The worker 'torch' died.")

    monkeypatch.setattr(bench, "measure", measure)
    monkeypatch.setattr(bench, "require", lambda plan: None)
    outcome = CliRunner().invoke(bench.main, [])
    assert (outcome.exit_code, outcome.output) == (1, "Error: The worker 'torch' died.\n")


SETTINGS = {"seed": 1, "turns": 2, "images": 128, "dataset": "digits"}


@pytest.mark.parametrize(
    "name, package", [("script", "tf_keras"), ("lecture", "keras"), ("torch", "torch")]
)
def test_a_real_worker_trains_the_lectures_network(monkeypatch, name, package):
    """Same parameters for all, a loss that falls, a score where one is asked for."""
    if not importlib.util.find_spec(package):
        pytest.skip(f"{package} is not installed: `make bench` has an environment of its own")
    module, function, settings, *environment = bench.epochs_contest(bench.SHORT)[name]
    settings = {**settings, **SETTINGS} | ({} if name == "torch" else {"passes": 1})
    facts = conduct({name: (module, function, settings, *environment)})[name]
    assert facts["parameters"] == 490_985
    first, second = (turn["loss"] for turn in facts["turns"])
    assert 30 < second < first < 400
    assert facts["wall_seconds"] >= facts["train_seconds"] > 0 and facts["peak_mb"] > 100
    if "passes" in settings:
        assert 0 < facts["score"]["mse"] < facts["score"]["loss"] < 400


def test_decoding_and_peak_are_measured():
    """Rates and latencies are positive, and the median is not above the 95th percentile."""
    from benchmarks import worker_course

    said = {}
    channel = types.SimpleNamespace(begin=said.update, end=said.update, done=lambda: None)
    worker_course.decode(channel, repeats=1, single_repeats=3, dataset="digits")
    assert min(said["images_per_second"].values()) > 0
    assert all(0 < middle <= high for middle, high in said["one_vector_ms"].values())
    worker_course.matmul(channel, turns=1, size=64, repeats=1)
    assert said["gflops"] > 0 and said["flop_per_image"] == 3 * 2 * 2_954_112  # by hand, see above


# The ladder of lesson 5


@pytest.mark.parametrize("dataset", ["MNIST", "embedded digits"])
def test_ladder_leads_from_the_lectures_recipe_to_the_fast_one(dataset):
    """As many epochs on every step; from one to the next something changes."""
    from benchmarks import ladder
    from vae_course import training

    found = [(recipe, quick) for _, recipe, quick in ladder.steps(dataset)]
    fast, lecture = training.find("fast", dataset), training.find("lecture", dataset)
    assert found[0] == (dataclasses.replace(lecture, epochs=fast.epochs), False)
    assert found[-1] == (fast, True)
    assert {recipe.epochs for recipe, _ in found} == {fast.epochs}
    assert all(one != other for one, other in itertools.pairwise(found))


def test_ladder_times_the_second_epoch_of_each_turn(images, monkeypatch):
    """The first one builds graphs, and is longer by far: it is not what a step is said to take."""
    from benchmarks import ladder

    clocks = []

    class Kept(ladder.Clock):
        def __init__(self):
            super().__init__()
            clocks.append(self)

    monkeypatch.setattr(ladder, "Clock", Kept)
    data = types.SimpleNamespace(name="MNIST", x_train=images, x_test=images)
    times = ladder.time_epochs(data, turns=1)
    assert len(times) == len(clocks) == 5
    assert times == [round(clock.seconds[1], 3) for clock in clocks]
    assert all(len(clock.seconds) == 2 for clock in clocks) and min(times) > 0


def test_ladder_keeps_the_form_of_the_shipped_measurements(images, monkeypatch):
    """What lesson 5 reads: the same keys at the same places."""
    from benchmarks import ladder
    from vae_course import training

    def form(value):
        if isinstance(value, dict):
            return {key: form(inner) for key, inner in value.items() if key != "versions"}
        return [form(value[0])] if isinstance(value, list) else None

    find, steps = training.find, ladder.steps
    short = lambda *names: dataclasses.replace(find(*names), epochs=1)  # noqa: E731
    monkeypatch.setattr(training, "find", short)
    monkeypatch.setattr(ladder, "steps", lambda dataset: steps(dataset)[-1:])
    monkeypatch.setattr(ladder, "time_epochs", lambda data: [1.0])
    data = types.SimpleNamespace(name="MNIST", x_train=images, x_test=images)
    shipped = ROOT / "vae_course" / "trained" / "recipes-mnist.json"
    assert form(ladder.measure(data)) == form(json.loads(shipped.read_text(encoding="utf-8")))


def test_the_memory_of_kernels_is_that_of_the_processes_that_this_one_has_started():
    """None without one, and that of a small Python with one."""
    from benchmarks import kernels

    before = kernels.memory()
    command = [sys.executable, "-c", "print(flush=True); input()"]
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **options) as process:
        process.stdout.readline()
        assert 1e6 < kernels.memory() - before < 1e9
        process.communicate(b"\n")


def test_networks_are_compared_image_by_image(tmp_path, monkeypatch):
    """By hand; the scatter that both share does not count, and nothing is compared with itself."""
    from benchmarks import likelihood

    monkeypatch.setattr(likelihood, "FOLDER", tmp_path)
    short = np.array([-80.0, -120.0, -60.0])
    assert likelihood.ahead_of_short(short) == (None, None)
    np.save(tmp_path / "short-1.bounds.npy", np.stack([short, np.ones(3)]))
    assert likelihood.ahead_of_short(short) == (None, None)
    assert likelihood.ahead_of_short(short + [1, 2, 3]) == (2.0, 0.577)


def test_scoring_a_likelihood_goes_on_where_it_was(images, monkeypatch, tmp_path):
    """Two images at a time, stopped after four of six: the result is that of a single run."""
    from benchmarks import likelihood
    from vae_course.models import VAE, build_decoder, build_encoder

    monkeypatch.setattr(likelihood, "DRAWS", 3)
    monkeypatch.setattr(likelihood, "AT_ONCE", 2)
    model, x = VAE(build_encoder(2), build_decoder(2), likelihood="bernoulli"), images[:6].round()
    whole = likelihood.score(model, x, tmp_path / "whole.npy")
    assert whole.shape == (2, 6)
    likelihood.score(model, x[:4], tmp_path / "parts.npy")
    np.testing.assert_array_equal(likelihood.score(model, x, tmp_path / "parts.npy"), whole)


def test_a_learned_prior_is_a_mixture_of_normals():
    """Its density against SciPy's, and in the weights it stands in for the standard normal prior."""
    from scipy import special, stats

    from benchmarks.likelihood import LATENT_DIM, build_wide
    from vae_course.models import VAE

    model = build_wide()
    z = np.random.default_rng(0).normal(size=(5, LATENT_DIM)).astype("float32")
    middles, spreads = np.array(model.middles), np.exp(np.array(model.log_variances) / 2)
    parts = stats.norm(middles, spreads).logpdf(z[:, None]).sum(axis=-1)
    expected = special.logsumexp(parts + special.log_softmax(np.array(model.shares)), axis=1)
    np.testing.assert_allclose(model.log_prior(z), expected, rtol=1e-4)
    weights, noise = [], model.encoder.get_layer("z").noise.state
    for kind in (type(model), VAE):
        noise.assign([3, 4])
        z, log_weights = kind.weighted_draws(model, np.zeros((2, 28, 28, 1), "float32"), 3)
        weights.append(np.array(log_weights))
    standard = stats.norm.logpdf(np.array(z)).sum(axis=-1)
    np.testing.assert_allclose(weights[0] - weights[1], model.log_prior(z) - standard, atol=1e-3)


@pytest.mark.parametrize("arguments", [["hour", "1"], ["wide", "one"], ["wide"]])
def test_a_wrong_network_or_seed_is_told_in_one_line(arguments):
    """With the exit status of a wrong command line."""
    from benchmarks import likelihood

    outcome = CliRunner().invoke(likelihood.main, arguments)
    assert outcome.exit_code == 2
    assert outcome.output.count("Error: ") == 1


def test_the_benchmark_of_lesson_9_runs_the_cells_of_the_lesson():
    """With another third than the lesson's, up to the premature beats there, which are counted directly."""
    names = beyond_digits.run("heart = ", "beats_there", third=0)
    recording = load_heart()
    there = recording.beats[recording.ventricular] < len(recording.millivolts) // 3
    assert len(names["beats_there"]) == there.sum() > 0


# Alarms on series of others


def make_series():
    """Give a made-up heartbeat of 50 samples with an outlier, as a file of a wheel, and its digest."""
    values = np.sin(np.arange(1600) * 2 * np.pi / 50) + 0.01 * np.sin(np.arange(1600))
    labels = np.zeros(1600, int)
    values[1300:1310], labels[1300:1310] = 4, 1
    lines = [
        f"{i},{v:.5f},{label}" for i, (v, label) in enumerate(zip(values, labels, strict=True))
    ]
    content = "\n".join(["timestamp,value,is_anomaly", *lines, ""]).encode()
    return content, hashlib.sha256(content).hexdigest()


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Make a wheel and a folder with a made-up series in each, and let the benchmark know only these."""
    content, digest = make_series()
    with zipfile.ZipFile(tmp_path / "aeon.whl", "w") as wheel:
        wheel.writestr("aeon/one.csv", content)
    (tmp_path / "unpacked" / "sktime").mkdir(parents=True)
    (tmp_path / "unpacked" / "sktime" / "two.csv").write_bytes(content)
    series = {
        "one": ("aeon", {"aeon/one.csv": digest}, (1000, 50, 4)),
        "two": ("sktime", {"sktime/two.csv": digest}, (1000, 50, 4)),
    }
    monkeypatch.setattr(other_alarms, "SERIES", series)
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    return tmp_path


def test_a_series_of_others_is_cut_as_the_lesson_cuts_its_own():
    """Two samples for one, a third of the normal part for thresholds, windows at the anomaly marked."""
    content, _ = make_series()
    values, labels = np.genfromtxt(content.decode().splitlines()[1:], delimiter=",").T[1:]
    given = other_alarms.cut(values, labels, 1000, 50, 4)
    starts, lead = given["starts"], given["heart"].millivolts[:, 0]
    np.testing.assert_allclose(lead[:2600:2] / lead[:2600].std(), values[:1300] * 2**0.5, atol=0.03)
    assert np.std(lead[:1332]) == pytest.approx(0.5, rel=0.02)  # two thirds of 2,000 samples
    assert starts[given["train"]].max() + 128 <= 1333 <= starts[given["ordinary"]].min()
    assert starts[given["ordinary"]].max() + 128 <= 2000 <= starts[given["test"]].min()
    touched = [s for s in range(0, 3200 - 127, 4) if s < 2620 and s + 128 > 2600]
    assert starts[given["touches"]].tolist() == touched
    assert given["beats_there"].tolist() == [2600] and given["after"] == 20
    assert given["x"].shape == (len(starts), 128, 1, 2)
    assert 0 <= given["x"].min() < given["x"].max() <= 1


def test_all_methods_meet_on_series_of_others(packages, monkeypatch):
    """An outlier of four deviations is found at once, by whatever needs no training."""
    monkeypatch.setattr(other_alarms, "STEPS", 5)  # one epoch
    monkeypatch.setattr(other_alarms, "SEEDS", (1,))
    monkeypatch.setattr(other_alarms, "SERIES", dict(list(other_alarms.SERIES.items())[:1]))
    arguments = ["--aeon", str(packages / "aeon.whl"), "--sktime", str(packages / "unpacked")]
    outcome = CliRunner().invoke(other_alarms.main, arguments, catch_exceptions=False)
    assert outcome.exit_code == 0
    rows = {row["method"]: row for row in pretrained.table("alarm-others")}
    assert {"VAE, error", "VAE, -log p(x)", "z-score, 10 beats", "PCA, 24 parts"} < rows.keys()
    assert "z-score, 60 beats" not in rows  # longer than the series
    for method in "nearest window", "nearest window, scaled", "sharpest bend":
        assert rows[method]["found"] == rows[method]["highest"] == 1
        assert 0 <= rows[method]["delay"] <= 2
    shipped = pretrained.read_rows(
        Path(pretrained.__file__).with_name("trained") / "alarm-others.csv"
    )
    assert all(row.keys() == shipped[0].keys() for row in rows.values())


def test_seeds_are_summarised_by_means_and_standard_errors():
    """The error of 1, 2 and 6 is the root of 7 / 3; a seed that found nothing has no delay."""
    one = dict(anomalies=1, found=1, true=1, precision=0.5, ringing=0.1, highest=True)
    runs = [
        {"VAE": one | {"false": 1, "delay": 3.0}, "PCA": one | {"false": 0, "delay": np.nan}},
        {"VAE": one | {"false": 2, "delay": np.nan}, "PCA": one | {"false": 9, "delay": 9}},
        {"VAE": one | {"false": 6, "delay": 5.0}, "PCA": one | {"false": 9, "delay": 9}},
    ]
    vae, pca = other_alarms.summarise("made up", runs)
    assert (vae["false"], vae["false_error"]) == (3, round((7 / 3) ** 0.5, 4))
    assert (vae["delay"], vae["seeds"], vae["found_error"]) == (4, 3, 0)
    assert (pca["false"], pca["false_error"], pca["delay"], pca["seeds"]) == (0, "", "", 1)


@pytest.mark.parametrize(
    "aeon, words",
    [
        (None, "Missing option '--aeon'"),
        ("nowhere.whl", "'{}' does not exist"),
        ("text.whl", "aeon/one.csv is not in {}, as it is in aeon's wheel.*pip download"),
        ("unpacked", "aeon/one.csv is not in {}, as it is in aeon's wheel.*pip download"),
        ("changed.whl", "aeon/one.csv in {} has digest [0-9a-f]{{64}}, not"),
    ],
)
def test_a_wrong_wheel_is_told_before_any_training(packages, monkeypatch, aeon, words):
    """With exit code 2, and nothing is written."""
    monkeypatch.setattr(other_alarms, "alarm_on", lambda *args: pytest.fail("it trains"))
    (packages / "text.whl").write_text("no archive")
    with zipfile.ZipFile(packages / "changed.whl", "w") as wheel:
        wheel.writestr("aeon/one.csv", "1,2,3")
    option = ["--aeon", str(packages / aeon)] if aeon else []
    arguments = [*option, "--sktime", str(packages / "unpacked")]
    status, told = tell(other_alarms.main, arguments)
    assert status == 2 and re.search(words.format(packages / (aeon or "")), told)
    assert not (packages / "alarm-others.csv").exists()


# Bad arguments, and small runs


def tell(command, arguments):
    """Run a command, and return its exit code and its error, which is one line under the usage."""
    outcome = CliRunner().invoke(command, list(map(str, arguments)))
    assert isinstance(outcome.exception, SystemExit)  # no traceback
    usage, told = outcome.output.split("\nError: ")
    assert usage.startswith("Usage:") and isinstance(command, click.Command)
    return outcome.exit_code, " ".join(told.split("\n"))


@pytest.mark.parametrize(
    "command, arguments, words",
    [
        (beyond_digits.main, [], "Missing argument"),
        (beyond_digits.main, ["alarms"], "'alarms' is not one of 'alarm', 'bias-mnist'"),
        (beyond_digits.main, ["alarm", "3"], "unexpected extra argument"),
        (own_pictures.main, ["200"], "unexpected extra argument"),
        (heart.main, [], "Missing argument 'ARCHIVE'"),
        (heart.main, ["nowhere.tar.gz"], "'nowhere.tar.gz' does not exist"),
    ],
)
def test_a_bad_argument_is_told_in_one_line(command, arguments, words):
    """With exit code 2."""
    status, told = tell(command, arguments)
    assert status == 2 and words in told


def test_an_archive_without_the_recording_is_told_in_one_line(tmp_path, monkeypatch):
    """No archive, half of one, one of something else, and one with another recording; nothing is written."""
    monkeypatch.setattr(heart, "HEART", tmp_path / "heart.npz")
    folder = tmp_path / "wfdb-4.3.0" / "tmp_dl_dir"
    folder.mkdir(parents=True)
    for name in heart.FILES:
        (folder / name).write_bytes(np.random.default_rng(0).bytes(5000))
    with tarfile.open(tmp_path / "changed.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "wfdb-4.3.0", "wfdb-4.3.0")
    with tarfile.open(tmp_path / "other.tar.gz", "w:gz") as tar:
        tar.add(folder, "wfdb-4.2.0")
    (tmp_path / "text.tar.gz").write_text("no archive")
    whole = (tmp_path / "changed.tar.gz").read_bytes()
    (tmp_path / "half.tar.gz").write_bytes(whole[: len(whole) // 2])
    for name in "text", "half", "other":
        status, told = tell(heart.main, [tmp_path / f"{name}.tar.gz"])
        assert status == 2 and f"{name}.tar.gz is not the source archive of wfdb 4.3.0" in told
    status, told = tell(heart.main, [tmp_path / "changed.tar.gz"])
    assert status == 2 and re.search(r"0001\.dat has digest [0-9a-f]{64}, not ec0aa6e8", told)
    assert not (tmp_path / "heart.npz").exists()


def test_own_pictures_are_measured_on_a_few(tmp_path, monkeypatch):
    """One row, with the columns of the shipped table; PCA does better than the mean picture."""
    shipped = pretrained.table("own-pictures")
    for name, value in (("COUNTS", (64,)), ("BETAS", (0.1,)), ("SEEDS", (1,)), ("TESTED", 20)):
        monkeypatch.setattr(own_pictures, name, value)
    find = own_pictures.training.find
    short = lambda *names: dataclasses.replace(find(*names), epochs=1)  # noqa: E731
    monkeypatch.setattr(own_pictures.training, "find", short)
    monkeypatch.setattr(own_pictures, "FOLDER", tmp_path)
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    assert CliRunner().invoke(own_pictures.main, []).exit_code == 0
    (row,) = pretrained.table("own-pictures")
    assert row.keys() == shipped[0].keys()
    assert (row["pictures"], row["beta"], row["seed"]) == (64, 0.1, 1)
    assert 0 < row["pca"] < row["mean_image"] and row["vae"] > 0 and row["kl"] > 0
