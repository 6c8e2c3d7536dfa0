"""The benchmarks: arithmetic, turn-taking and tables; what they measure is not tested, but how."""

import copy
import dataclasses
import importlib.util
import itertools
import json
import re
import sys
import types

import psutil
import pytest
from click.testing import CliRunner
from pins import ROOT

from benchmarks import bench, conductor, machine, report, summary
from benchmarks.conductor import Worker, WorkerError, conduct, interleave

# A worker that needs nothing: it notes when each of its turns began and ended.
FAKE = """
import sys, time
from benchmarks.turns import Turns
channel = Turns()
channel.start_clock()
for turn in range({turns}):
    channel.begin(turns={turns}, parameters=7)
    print("noise that must not reach the conductor")
    start = time.time()
    time.sleep(0.05)
    {last}
    channel.end(span=[start, time.time()])
channel.done(wall_seconds=channel.wall_seconds())
"""
DIES = "if turn == 1: sys.exit('first line\\nout of paint')"
SLEEPS = "if turn == 1: time.sleep(60)"


def fake(turns, last="pass"):
    """Give a contestant for `conduct` that takes so many turns, or ends otherwise."""
    return ("fake", {"script": FAKE.format(turns=turns, last=last)}, {})


@pytest.fixture
def fakes(monkeypatch):
    """Let settings hold a worker's source, and keep the processes that were started."""
    processes = []

    class Kept(Worker):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            processes.append(psutil.Process(self._process.pid))

    def command(module, settings):
        return [sys.executable, "-c", settings["script"]]

    monkeypatch.setattr(conductor, "command_of", command)
    monkeypatch.setattr(conductor, "Worker", Kept)
    monkeypatch.setattr(conductor, "PAUSE", 0.0)
    return processes


def trained(seconds, losses=(43.0, 35.0, 33.0), parameters=490_985, **more):
    """Give what a worker that trains says; the first turn is warm-up."""
    turns = [
        {"seconds": s, "loss": loss, "others_percent": 0.0}
        for s, loss in zip(seconds, losses, strict=True)
    ]
    train = {"train_seconds": sum(seconds), "wall_seconds": sum(seconds) + 1, "peak_mb": 900.0}
    return {"parameters": parameters, "turns": turns, "score": None, **train, **more}


@pytest.fixture
def results():
    """Give made-up results of a full run with round numbers, not yet summarized."""
    peak = [{"seconds": 1.0, "gflops": g, "others_percent": 0.0} for g in (90.0, 100.0)]
    ours = [trained((9, 5, s), score={"loss": 28.0, "mse": 0.02}) for s in (5, 7)]
    one = {"median_ms": 1.5, "p95_ms": 2.5}
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
            "one_vector": {way: one for way in report.WAYS},
        },
        "contest": {
            "script": trained((14, 10, 12), score={"loss": 28.2, "mse": 0.0198}),
            "lecture": trained((9, 8, 8), (44.0, 35.0, 33.0)),
            "fast-1": ours[0],
            "fast-2": ours[1],
            "matmul": {"flop_per_image": 17_724_672, "turns": peak},
        },
        "growth": {"images": [[5000, 0.5], [60_000, 6.0]], "latent_dim": [[2, 5.0], [500, 7.5]]},
    }


def rendered(results):
    """Summarize and render."""
    return report.render({**results, "summary": summary.summarize(results)})


def test_multiply_adds_of_each_layer_are_those_counted_by_hand():
    """Pixels that the kernel is laid on, times the kernel's size."""
    from benchmarks.flops import multiply_adds, training_flop
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
    assert training_flop(*networks) == 3 * 2 * 2_954_112


def test_medians_and_ratios(results):
    """Warm-up is left out, seeds are pooled, and the script is 1."""
    rows = summary.summarize(results)["epochs"]
    assert {name: row["median"] for name, row in rows.items()} == {
        "script": 11.0,
        "lecture": 8.0,
        "fast": 5.0,  # of 5, 5, 5, 7
    }
    assert [row["speed"] for row in rows.values()] == [1.0, 11 / 8, 11 / 5]
    assert (rows["fast"]["max"], rows["script"]["warm_up"]) == (7, 14)
    assert rows["script"]["gflops"] == pytest.approx(17_724_672 * 60_000 / 11 / 1e9)
    assert summary.summarize(results)["of_peak"]["script"] == pytest.approx(0.9668, abs=1e-4)


def test_partial_turns_are_extrapolated_and_say_so(results):
    """15,000 images in 10 seconds are 60,000 in 40."""
    results["images_per_turn"] = 15_000
    results["mode"] = "short"
    assert summary.summarize(results)["epochs"]["script"]["median"] == 44.0
    assert "one epoch of 15,000 images; **seconds are extrapolated**" in rendered(results)


def test_whole_trainings_are_compared_when_every_seed_reaches_the_score(results):
    """Seconds of all epochs, warm-up included: 36 against the median of 19 and 21."""
    found = summary.summarize(results)["to_score"]
    assert (found["reached"], found["hits"], found["ratio"]) == (True, 2, 36 / 20)
    assert "with every seed, **1.80 times as fast**" in rendered(results)


def test_a_score_that_is_not_reached_gives_no_ratio(results):
    """One seed above the script's score is enough."""
    results["contest"]["fast-2"]["score"]["loss"] = 28.21
    assert "ratio" not in summary.summarize(results)["to_score"]
    text = rendered(results)
    assert "**The fast recipe has not reached** the script's own test score of 28.200" in text
    assert "1 of 2 seeds" in text and "with every seed" not in text


def test_the_short_mode_compares_no_whole_trainings(results):
    """And says where they are compared."""
    for facts in results["contest"].values():
        facts["score"] = None
    assert "make bench FULL=1" in rendered(results)


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
    results["contest"]["torch"] = trained((9, 8, 8))
    fair = copy.deepcopy(results)
    assert summary.summarize(fair)["remarks"] == []
    change(results["contest"])
    (remark,) = summary.summarize(results)["remarks"]
    assert words in remark and f"**{remark}**" in rendered(results)


def test_the_report_has_every_section_and_number(results):
    """Each with a table, but for the method."""
    text = rendered(results)
    parts = dict(re.findall(r"^## (.*?)\n\n(.*?)(?=\n## |\Z)", text, re.M | re.S))
    assert list(parts) == list(report.SECTIONS)
    assert all("| ---" in part for title, part in parts.items() if title != "How it was measured")
    assert "| `begin(1)` " in parts["Start-up"] and " 2.00 |" in parts["Start-up"]
    assert "12,346" in parts["Encoding and decoding"]
    assert "17.72 MFLOP" in parts["Arithmetic"] and "100 GFLOP/s" in parts["Arithmetic"]
    assert re.search(r"\| 60,000 +\| +6.00 \| +100 \|", parts["How training time grows"])


def test_tables_are_aligned():
    """Readable as plain text, too."""
    lines = report.table(["name", "n"], [["a", 1], ["longer", 1234]]).splitlines()
    assert lines == [
        "| name   |    n |",
        "| ------ | ---: |",
        "| a      |    1 |",
        "| longer | 1234 |",
    ]


@pytest.mark.parametrize("options, written", [([], False), (["--write"], True), (["--full"], True)])
def test_one_command_measures_prints_and_keeps(results, monkeypatch, tmp_path, options, written):
    """RESULTS.md is written by a full run, or when asked for; the JSON file always."""
    plans = []

    def measure(plan, say):
        plans.append(plan)
        return {**results, "summary": summary.summarize(results)}

    for name, value in {"measure": measure, "require": plans.append, "ROOT": tmp_path}.items():
        monkeypatch.setattr(bench, name, value)
    (tmp_path / "benchmarks").mkdir()
    outcome = CliRunner().invoke(bench.main, options)
    assert outcome.exit_code == 0 and "## Seconds per epoch" in outcome.output
    assert plans == [bench.FULL if "--full" in options else bench.SHORT] * 2
    kept = json.loads((tmp_path / "build" / "bench.json").read_text(encoding="utf-8"))
    assert kept["summary"]["epochs"]["fast"]["median"] == 5.0
    assert (tmp_path / "benchmarks" / "RESULTS.md").exists() == written


def test_a_failing_worker_ends_the_command_with_one_message(monkeypatch):
    """No traceback: the worker's name and last words are the message."""

    def measure(plan, say):
        raise WorkerError("The worker 'torch' ended.")

    monkeypatch.setattr(bench, "measure", measure)
    monkeypatch.setattr(bench, "require", lambda plan: None)
    outcome = CliRunner().invoke(bench.main, [])
    assert (outcome.exit_code, outcome.output) == (1, "Error: The worker 'torch' ended.\n")


def test_the_committed_results_are_of_a_full_run():
    """With every section, and without a place-holder."""
    path = ROOT / "benchmarks" / "RESULTS.md"
    if not path.exists():
        pytest.skip("no full run yet")
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", text, re.M) == list(report.SECTIONS)
    assert "in full mode" in text and "extrapolated" not in text


def test_the_machine_is_described_without_its_name():
    """Plain values for the JSON file."""
    facts = machine.describe()
    assert facts["cores"] >= 1 and facts["memory_gb"] > 0 and facts["cpu"]
    assert re.fullmatch(r"\d+\.\d+.*", facts["versions"]["tensorflow"])


def test_turns_are_spread_evenly():
    """A contestant with few turns meets early and late ones of the others."""
    assert "".join(interleave({"a": 6, "b": 2, "c": 1})) == "aabacaaba"
    assert interleave({"a": 2, "b": 2}) == ["a", "b", "a", "b"]


def test_workers_take_turns_and_never_compute_at_once(fakes):
    """Each one's turns arrive in order; noise on standard output does no harm."""
    lines = []
    facts = conduct({"a": fake(3), "b": fake(2)}, lines.append)
    spans = sorted(turn["span"] for worker in facts.values() for turn in worker["turns"])
    assert len(spans) == 5 and len(lines) == 5
    assert all(end <= start for (_, end), (start, _) in zip(spans[:-1], spans[1:], strict=True))
    assert all(0.05 <= turn["seconds"] < 1 for turn in facts["a"]["turns"])
    assert facts["a"]["parameters"] == 7 and facts["a"]["done"]
    assert not any(process.is_running() for process in fakes)


def test_waiting_is_not_counted(fakes):
    """Seconds with building: those of the three turns, not those of the others' turns."""
    facts = conduct({"a": fake(3), "b": fake(10)})
    assert 0.15 <= facts["a"]["wall_seconds"] < 0.15 + 0.3


def test_a_worker_that_dies_is_named_with_its_last_words(fakes):
    """At once, and the others are ended."""
    with pytest.raises(WorkerError, match="(?s)'b' ended with exit code 1.*out of paint"):
        conduct({"a": fake(3), "b": fake(3, DIES)})
    assert len(fakes) == 2 and not any(process.is_running() for process in fakes)


def test_a_worker_that_dies_at_its_start_is_named(fakes):
    """Before any turn; the one that was ready is ended."""
    with pytest.raises(
        WorkerError, match="(?s)'b' ended with exit code 1.*No module named 'nowhere'"
    ):
        conduct({"a": fake(3), "b": ("fake", {"script": "import nowhere"}, {})})
    assert len(fakes) == 2 and not any(process.is_running() for process in fakes)


def test_a_worker_that_does_not_answer_is_given_up(monkeypatch, fakes):
    """After the patience it was given, not a minute later."""
    patience = conductor.Worker
    monkeypatch.setattr(conductor, "Worker", lambda *a, **k: patience(*a, patience=2.0, **k))
    with pytest.raises(WorkerError, match="'a' gave no answer within 2 seconds"):
        conduct({"a": fake(3, SLEEPS)})
    assert not any(process.is_running() for process in fakes)


def test_an_answer_that_is_not_json_is_shown(fakes):
    """So that one sees who wrote it."""
    with pytest.raises(WorkerError, match="'a' answered 'hello', which is not JSON"):
        conduct({"a": ("fake", {"script": "print('hello')"}, {})})


def test_a_worker_ends_when_its_conductor_is_gone():
    """No process is left behind."""
    worker = Worker("a", [sys.executable, "-c", FAKE.format(turns=2, last="pass")])
    worker.answer()
    worker._process.stdin.close()
    assert worker._process.wait(timeout=20) == 1
    worker.stop()


COURSE = {"recipe": "lecture", "seed": 1, "turns": 2, "images": 128, "dataset": "digits"}


@pytest.mark.parametrize(
    "module, settings, environment, needs",
    [
        ("worker_course", {**COURSE, "passes": 1}, {}, "keras"),
        (
            "worker_legacy",
            {"seed": 1, "turns": 2, "images": 128, "dataset": "digits", "passes": 1},
            {"TF_USE_LEGACY_KERAS": "1"},
            "tf_keras",
        ),
        ("worker_torch", {"seed": 1, "turns": 2, "images": 128, "dataset": "digits"}, {}, "torch"),
    ],
)
def test_a_real_worker_trains_the_lectures_network(module, settings, environment, needs):
    """Same parameters for all, a loss that falls, a score where one is asked for."""
    if not importlib.util.find_spec(needs):
        pytest.skip(f"{needs} is not installed: `make bench` has an environment of its own")
    facts = conduct({"worker": (module, settings, environment)})["worker"]
    assert facts["parameters"] == 490_985
    first, second = (turn["loss"] for turn in facts["turns"])
    assert 30 < second < first < 400
    assert facts["wall_seconds"] >= facts["train_seconds"] > 0 and facts["peak_mb"] > 100
    if "passes" in settings:
        assert 0 < facts["score"]["mse"] < facts["score"]["loss"] < 400


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
