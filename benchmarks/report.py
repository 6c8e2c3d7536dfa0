"""The tables that `make bench` prints and, for a full run, writes to RESULTS.md."""

from benchmarks.summary import EPOCH

NAMES = {
    "script": "the lecture's script, on legacy Keras",
    "lecture": "ours, the lecture's recipe",
    "fast": "ours, the fast recipe",
    "torch": "the same network in PyTorch",
}
WAYS = ("decoder(z)", "tf.function(decoder)(z)", "decoder.predict(z)")


def table(header, rows):
    """Return a Markdown table; all columns but the first are aligned to the right."""
    cells = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    first, *others = widths
    lines = [
        [row[0].ljust(first), *(c.rjust(w) for c, w in zip(row[1:], others, strict=True))]
        for row in cells
    ]
    lines.insert(1, ["-" * first, *("-" * (width - 1) + ":" for width in others)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def machine_section(results):
    """Name the machine, the versions and the date."""
    machine = results["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    lines = [
        f"Measured on {machine['date']} in {results['mode']} mode by `make bench"
        f"{' FULL=1' if results['mode'] == 'full' else ''}`.",
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']:g} GB, {machine['system']}, "
        f"Python {machine['python']}; {versions}. No GPU is used. "
        f"Others used {results['summary']['others_percent']:.1f} % of the CPU during the turns.",
    ]
    return "\n\n".join([*lines, *(f"**{remark}**" for remark in results["summary"]["remarks"])])


def epochs_section(results):
    """Compare the seconds of an epoch."""
    rows = results["summary"]["epochs"]
    times = [
        [
            NAMES[name],
            *(f"{row[key]:.2f}" for key in ("median", "min", "max")),
            row["turns"],
            f"{row['speed']:.2f}",
            f"{row['peak_mb']:.0f}",
        ]
        for name, row in rows.items()
    ]
    header = ["seconds for 60,000 images", "median", "min", "max", "turns", "times as fast"]
    images = results["images_per_turn"]
    note = f"A turn is one epoch of {images:,} images"
    note += "." if images == EPOCH else f"; **seconds are extrapolated** to {EPOCH:,}."
    note += " Memory is the most that the process ever held, images included."
    return f"{table([*header, 'memory, MB'], times)}\n\n{note}\n\n{fairness_table(rows)}"


def fairness_table(rows):
    """Show that all train the same network, and what the first turn takes."""
    lines = [
        [
            NAMES[name],
            f"{row['parameters']:,}",
            *(f"{loss:.2f}" for loss in row["losses"]),
            f"{row['warm_up']:.2f}",
        ]
        for name, row in rows.items()
    ]
    header = ["the same network?", "parameters", "loss of turn 1", "of turn 2", "seconds of turn 1"]
    return table(header, lines)


def score_section(results):
    """Compare whole trainings."""
    found = results["summary"]["to_score"]
    if not found:
        return "Whole trainings are compared in the full mode only: `make bench FULL=1`."
    runs = [(NAMES["script"], found["script"])]
    runs += [(f"{NAMES['fast']}, seed {i}", run) for i, run in enumerate(found["fast"], 1)]
    lines = [
        [
            name,
            f"{run['score']['loss']:.3f}",
            f"{run['score']['mse']:.5f}",
            f"{run['train_seconds']:.1f}",
            f"{run['wall_seconds']:.1f}",
        ]
        for name, run in runs
    ]
    header = ["whole training", "test score", "MSE", "seconds of its epochs", "with building"]
    return f"{table(header, lines)}\n\n{verdict(found)}"


def verdict(found):
    """Say in one sentence whether, and how much sooner, the fast recipe reaches the script's score."""
    target = f"the script's own test score of {found['script']['score']['loss']:.3f}"
    if not found["reached"]:
        count = f"{found['hits']} of {len(found['fast'])} seeds end at it or below"
        return f"**The fast recipe has not reached** {target}: {count}."
    return (
        f"The fast recipe reaches {target} with every seed, **{found['ratio']:.2f} times as fast** "
        f"({found['wall_ratio']:.2f} times with building and tracing)."
    )


def decoding_section(results):
    """Show what encoding and decoding take."""
    facts = results["decoding"]
    many = [[way, f"{rate:,.0f}"] for way, rate in facts["images_per_second"].items()]
    one = [
        [f"`{way}`", *(f"{facts['one_vector'][way][key]:.2f}" for key in ("median_ms", "p95_ms"))]
        for way in WAYS
    ]
    many = table(["10,000 images, in batches of 500", "images per second"], many)
    return f"{many}\n\n{table(['one latent vector', 'median, ms', '95th percentile, ms'], one)}"


def startup_section(results):
    """Show what a lesson's first steps take."""
    steps = results["summary"]["startup"]
    names = {"all": "all, with the interpreter's own start"}
    lines = [[names.get(step, f"`{step}`"), f"{seconds:.2f}"] for step, seconds in steps.items()]
    title = f"fresh interpreter, median of {len(results['startup'])}"
    return table([title, "seconds"], lines)


def arithmetic_section(results):
    """Show how much of the machine's arithmetic is used."""
    summary = results["summary"]
    flop = results["contest"]["matmul"]["flop_per_image"]
    lines = [
        [NAMES[name], f"{row['gflops']:.1f}", f"{summary['of_peak'][name]:.1%}"]
        for name, row in summary["epochs"].items()
    ]
    note = (
        f"Training on one image takes {flop / 1e6:.2f} MFLOP: three times its forward pass, counted from the "
        f"layers. The peak is {summary['peak_gflops']:.0f} GFLOP/s: the fastest float32 product of two "
        "2048 x 2048 matrices in the same run."
    )
    return f"{table(['training', 'GFLOP/s', 'of the peak'], lines)}\n\n{note}"


def growth_section(results):
    """Show how an epoch grows."""
    growth, images = results["growth"], results["images_per_turn"]
    by_size = [[f"{n:,}", f"{s:.2f}", f"{1e6 * s / n:.0f}"] for n, s in growth["images"]]
    by_latent = [[n, f"{s * EPOCH / images:.2f}"] for n, s in growth["latent_dim"]]
    label = "seconds per epoch" + ("" if images == EPOCH else ", extrapolated")
    sizes = table(["images", "seconds per epoch", "microseconds per image"], by_size)
    return f"{sizes}\n\n{table(['latent dimensions', label], by_latent)}"


METHOD = """\
All that compete in a table are processes that live at the same time and take turns: one trains for an
epoch while the others wait, so whatever the machine does besides hits all of them alike. The first turn
builds graphs and is left out of medians, but not out of whole trainings. The script is the lecture's
listing, written anew for Keras 2 in TensorFlow's graph mode, without its saving. PyTorch runs without
compilation, as a user would write it. Scores are means of five passes over the 10,000 test images."""

SECTIONS = {
    "Seconds per epoch": epochs_section,
    "Time to the script's score": score_section,
    "Encoding and decoding": decoding_section,
    "Start-up": startup_section,
    "Arithmetic": arithmetic_section,
    "How training time grows": growth_section,
    "How it was measured": lambda results: METHOD,
}


def render(results):
    """Return everything as Markdown.

    Args:
        results: What `benchmarks.bench.measure` returned.
    """
    parts = ["# How fast the course is", machine_section(results)]
    for title, section in SECTIONS.items():
        parts += [f"## {title}", section(results)]
    return "\n\n".join(parts) + "\n"
