"""Compute medians and ratios from the measurements, and make the tables that `make bench` prints."""

from statistics import median

EPOCH = 60_000  # images
IDLE = 5.0  # percent of the CPU that others may use while something is measured
# Contestants that train by the lecture's recipe, so the losses of their first two turns must be alike, too.
SAME_RECIPE, ALIKE = ("script", "lecture", "torch"), (0.10, 0.05)
NAMES = {
    "script": "the lecture's script, on legacy Keras",
    "lecture": "ours, the lecture's recipe",
    "fast": "ours, the fast recipe",
    "torch": "the same network in PyTorch",
}
METHOD = """\
All contestants in a table are processes that live at the same time and take turns. One of them trains for
an epoch while the others wait, so whatever else the machine is doing affects all of them alike. Because the
first turn also builds graphs, it is left out of the medians, but it counts in whole trainings. The script is
the lecture's listing, rewritten for Keras 2 in TensorFlow's graph mode, without the part that saves models.
PyTorch runs without compilation, as a typical user would write it. Scores are means of five passes over the
10,000 test images. Ours multiply matrices as `vae-course train` does, in bfloat16 where the processor has
instructions for it (`card.json` says which), and in float32 elsewhere. The other contestants use float32."""


def contestants(results):
    """Group the workers that train by contestant; all seeds of the fast recipe are one contestant."""
    groups = {}
    for name, facts in results["contest"].items():
        if name != "matmul":
            groups.setdefault(name.partition("-")[0], []).append(facts)
    return groups


def epochs(results):
    """Compare the seconds of an epoch.

    Returns:
        Dictionary from contestant to its numbers; `speed` is how many times as fast as the script it is.
    """
    matmul, rows = results["contest"]["matmul"], {}
    peak = max(turn["gflops"] for turn in matmul["turns"])
    scale = EPOCH / results["images_per_turn"]
    for name, group in contestants(results).items():
        seconds = [turn["seconds"] * scale for facts in group for turn in facts["turns"][1:]]
        gflops = matmul["flop_per_image"] * EPOCH / median(seconds) / 1e9
        first_two = zip(*(facts["turns"][:2] for facts in group), strict=True)
        rows[name] = {
            "parameters": group[0]["parameters"],
            "turns": len(seconds),
            "median": median(seconds),
            "min": min(seconds),
            "max": max(seconds),
            "warm_up": median(facts["turns"][0]["seconds"] for facts in group),
            "losses": [median(turn["loss"] for turn in turns) for turns in first_two],
            "gflops": gflops,
            "of_peak": gflops / peak,
            "peak_mb": max(facts["peak_mb"] for facts in group),
        }
    for row in rows.values():
        row["speed"] = rows["script"]["median"] / row["median"]
    return rows


def to_score(results):
    """Compare whole trainings, if there were any.

    Returns:
        None if there were none; otherwise the number of seeds of the fast recipe that reach the script's
        score and, only if all of them do, how many times as fast as the script they are, first by their
        epochs alone, then with building and tracing.
    """
    groups = contestants(results)
    (script,), fast = groups["script"], groups["fast"]
    if not script["score"]:
        return None
    hits = sum(facts["score"]["loss"] <= script["score"]["loss"] for facts in fast)
    keys = ("train_seconds", "wall_seconds")
    ratios = [script[key] / median(facts[key] for facts in fast) for key in keys]
    return hits, ratios if hits == len(fast) else None


def others_percent(results):
    """Return how much of the CPU others used during the turns of the contest, on average."""
    turns = [turn for facts in results["contest"].values() for turn in facts["turns"]]
    used = sum(turn["others_percent"] * turn["seconds"] for turn in turns)
    return used / sum(turn["seconds"] for turn in turns)


def remarks(results):
    """List what makes the comparison unfair or the machine unfit, one sentence for each reason."""
    rows, found = epochs(results), []
    if len({row["parameters"] for row in rows.values()}) > 1:
        found.append("The contestants do not have the same number of parameters.")
    for name in SAME_RECIPE:
        losses = zip(
            rows.get(name, rows["script"])["losses"], rows["script"]["losses"], ALIKE, strict=True
        )
        if any(abs(a / b - 1) > most for a, b, most in losses):
            found.append(f"{name!r} does not train as the script does, for its losses differ.")
    if "torch" not in rows:
        found.append("PyTorch was not installed, so it is left out.")
    if others_percent(results) > IDLE:
        found.append("The machine was not idle, so these numbers are not reliable.")
    return found


def table(header, *rows):
    """Return a Markdown table that reads well as text, too; all columns but the first are right-aligned."""
    cells = [[str(cell) for cell in row] for row in [header, *rows]]
    first, *others = (max(map(len, column)) for column in zip(*cells, strict=True))
    lines = [
        [row[0].ljust(first), *(c.rjust(w) for c, w in zip(row[1:], others, strict=True))]
        for row in cells
    ]
    lines.insert(1, ["-" * first, *("-" * (width - 1) + ":" for width in others)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def opening(results):
    """Name the machine, the versions and the date, and say what makes the numbers doubtful."""
    machine = results["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    command = "make bench" + (" FULL=1" if results["mode"] == "full" else "")
    text = (
        f"Measured on {machine['date']} in {results['mode']} mode by `{command}`.\n\n"
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']:g} GB, {machine['system']}, "
        f"Python {machine['python']}; {versions}. No GPU was used. "
        f"During the turns, other processes used {others_percent(results):.1f} % of the CPU."
    )
    return "\n\n".join([text, *(f"**{remark}**" for remark in remarks(results))])


def epochs_section(results):
    """Compare the seconds of an epoch, and show that all contestants train the same network."""
    times, same, images = [], [], results["images_per_turn"]
    for name, row in epochs(results).items():
        seconds = [f"{row[key]:.2f}" for key in ("median", "min", "max")]
        memory = f"{row['peak_mb']:.0f}"
        times.append([NAMES[name], *seconds, row["turns"], f"{row['speed']:.2f}", memory])
        losses = [f"{loss:.2f}" for loss in row["losses"]]
        same.append([NAMES[name], f"{row['parameters']:,}", *losses, f"{row['warm_up']:.2f}"])
    header = ["seconds for 60,000 images", "median", "min", "max", "turns", "times as fast"]
    extrapolated = f"; **seconds are extrapolated** to {EPOCH:,}"
    note = f"A turn is one epoch of {images:,} images{extrapolated if images != EPOCH else ''}."
    note += " Memory is the largest amount that the process ever held, images included."
    same_header = ["the same network?", "parameters", "loss of turn 1", "of turn 2"]
    times = table([*header, "memory, MB"], *times)
    return f"{times}\n\n{note}\n\n{table([*same_header, 'seconds of turn 1'], *same)}"


def score_section(results):
    """Compare whole trainings, and say whether the fast recipe reaches the score, and how much sooner."""
    if not (found := to_score(results)):
        return "Whole trainings are compared only in full mode, by `make bench FULL=1`."
    (script,), fast = contestants(results)["script"], contestants(results)["fast"]
    lines = []
    for i, facts in enumerate([script, *fast]):
        name = f"{NAMES['fast']}, seed {i}" if i else NAMES["script"]
        score = f"{facts['score']['loss']:.3f}", f"{facts['score']['mse']:.5f}"
        lines.append(
            [name, *score, *(f"{facts[k]:.1f}" for k in ("train_seconds", "wall_seconds"))]
        )
    header = ["whole training", "test score", "MSE", "seconds of its epochs", "with building"]
    target, (hits, ratios) = f"the script's own test score of {script['score']['loss']:.3f}", found
    if ratios:
        verdict = (
            f"The fast recipe reaches {target} with every seed, **{ratios[0]:.2f} times as fast** "
            f"({ratios[1]:.2f} times with building and tracing)."
        )
    else:
        count = f"{hits} of {len(fast)} seeds end at it or below"
        verdict = f"**The fast recipe has not reached** {target}: {count}."
    return f"{table(header, *lines)}\n\n{verdict}"


def decoding_section(results):
    """Show how long encoding and decoding take."""
    facts = results["decoding"]
    many = [[way, f"{rate:,.0f}"] for way, rate in facts["images_per_second"].items()]
    one = [
        [f"`{way}`", *(f"{ms:.2f}" for ms in times)]
        for way, times in facts["one_vector_ms"].items()
    ]
    many = table(["10,000 images, in batches of 500", "images per second"], *many)
    return f"{many}\n\n{table(['one latent vector', 'median, ms', '95th percentile, ms'], *one)}"


def startup_section(results):
    """Show how long a lesson's first steps take."""
    runs = results["startup"]
    names = {"all": "all, with the interpreter's own start"}
    medians = {step: median(run[step] for run in runs) for step in runs[0]}
    lines = [[names.get(step, f"`{step}`"), f"{s:.2f}"] for step, s in medians.items()]
    return table([f"fresh interpreter, median of {len(runs)}", "seconds"], *lines)


def arithmetic_section(results):
    """Show how much of the machine's peak arithmetic each contestant uses."""
    matmul = results["contest"]["matmul"]
    lines = [
        [NAMES[name], f"{row['gflops']:.1f}", f"{row['of_peak']:.1%}"]
        for name, row in epochs(results).items()
    ]
    peak = max(turn["gflops"] for turn in matmul["turns"])
    note = (
        f"Training on one image takes {matmul['flop_per_image'] / 1e6:.2f} MFLOP, which is three times its "
        f"forward pass, counted from the layers. The peak is {peak:.0f} GFLOP/s, the rate of the fastest "
        "float32 product of two 2048 x 2048 matrices in the same run. Ours may use fewer operations than the "
        "layers as written, and bfloat16 products have a higher peak."
    )
    return f"{table(['training', 'GFLOP/s', 'of the peak'], *lines)}\n\n{note}"


SECTIONS = {
    "Seconds per epoch": epochs_section,
    "Time to the script's score": score_section,
    "Encoding and decoding": decoding_section,
    "Start-up": startup_section,
    "Arithmetic": arithmetic_section,
    "How it was measured": lambda results: METHOD,
}


def render(results):
    """Return everything that `benchmarks.bench.measure` returned as Markdown."""
    parts = ["# How fast the course is", opening(results)]
    for title, section in SECTIONS.items():
        parts += [f"## {title}", section(results)]
    return "\n\n".join(parts) + "\n"
