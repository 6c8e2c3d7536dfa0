"""Medians and ratios of what was measured."""

import statistics

EPOCH = 60_000  # images
# Who trains by the lecture's recipe, so that their losses have to be alike, too.
SAME_RECIPE = ("script", "lecture", "torch")
ALIKE = (0.10, 0.05)  # by how much their losses may differ in the first and in the second turn
IDLE = 5.0  # percent of the CPU that others may use while something is measured


def epoch_seconds(facts, images_per_turn):
    """Return the seconds that 60,000 images took or would take, one for each turn but the first."""
    return [turn["seconds"] * EPOCH / images_per_turn for turn in facts["turns"][1:]]


def contestants(results):
    """Group the workers that train by contestant: those of the fast recipe are one, with several seeds."""
    groups = {}
    for name, facts in results["contest"].items():
        if name != "matmul":
            groups.setdefault(name.partition("-")[0], []).append(facts)
    return groups


def epochs(results):
    """Compare the seconds of an epoch.

    Returns:
        From contestant to its numbers; `speed` is how many times as fast as the script it is.
    """
    images = results["images_per_turn"]
    flop = results["contest"]["matmul"]["flop_per_image"]
    rows = {}
    for name, group in contestants(results).items():
        seconds = [s for facts in group for s in epoch_seconds(facts, images)]
        median = statistics.median(seconds)
        rows[name] = {
            "parameters": group[0]["parameters"],
            "turns": len(seconds),
            "median": median,
            "min": min(seconds),
            "max": max(seconds),
            "warm_up": statistics.median(facts["turns"][0]["seconds"] for facts in group),
            "losses": [
                statistics.median(facts["turns"][turn]["loss"] for facts in group)
                for turn in (0, 1)
            ],
            "gflops": flop * EPOCH / median / 1e9,
            "peak_mb": max(facts["peak_mb"] for facts in group),
        }
    for row in rows.values():
        row["speed"] = rows["script"]["median"] / row["median"]
    return rows


def to_score(results):
    """Compare the seconds of whole trainings that end at the script's score or below it.

    Returns:
        None if there were no whole trainings; else the script's and each seed's numbers, whether all seeds
        reached the script's score, and, only then, how many times as fast they were.
    """
    wanted = ("score", "train_seconds", "wall_seconds")
    groups = contestants(results)
    script = {key: groups["script"][0].get(key) for key in wanted}
    if not script["score"]:
        return None
    fast = [{key: facts[key] for key in wanted} for facts in groups["fast"]]
    hits = sum(run["score"]["loss"] <= script["score"]["loss"] for run in fast)
    found = {"script": script, "fast": fast, "reached": hits == len(fast), "hits": hits}
    if found["reached"]:
        for key, name in (("train_seconds", "ratio"), ("wall_seconds", "wall_ratio")):
            found[name] = script[key] / statistics.median(run[key] for run in fast)
    return found


def remarks(results, rows):
    """List what makes the comparison unfair or the machine unfit, one sentence each."""
    found = []
    if len({row["parameters"] for row in rows.values()}) > 1:
        found.append("The contestants do not have the same number of parameters.")
    found += [
        f"{name!r} does not train as the script does: its losses are not alike."
        for name in SAME_RECIPE
        if name in rows and not alike(rows[name]["losses"], rows["script"]["losses"])
    ]
    if "torch" not in rows:
        found.append("PyTorch was not installed, and is left out.")
    others = others_percent(results)
    if others > IDLE:
        found.append(
            f"The machine was not idle: others used {others:.0f} % of its CPU while it was measured, "
            "so the numbers are worth little. PyTorch suffers most: its threads wait for each other."
        )
    return found


def alike(losses, wanted):
    """Tell whether the losses of the first two turns are nearly those wanted."""
    return all(abs(a / b - 1) <= most for a, b, most in zip(losses, wanted, ALIKE, strict=True))


def others_percent(results):
    """Return how much of the CPU others used during the turns of the contest of epochs, on average."""
    turns = [turn for facts in results["contest"].values() for turn in facts["turns"]]
    seconds = sum(turn["seconds"] for turn in turns)
    return sum(turn["others_percent"] * turn["seconds"] for turn in turns) / seconds


def summarize(results):
    """Return medians, ratios and remarks, as a dictionary of plain values."""
    rows = epochs(results)
    peak = max(turn["gflops"] for turn in results["contest"]["matmul"]["turns"])
    return {
        "epochs": rows,
        "others_percent": others_percent(results),
        "peak_gflops": peak,
        "of_peak": {name: row["gflops"] / peak for name, row in rows.items()},
        "to_score": to_score(results),
        "startup": {
            step: statistics.median(run[step] for run in results["startup"])
            for step in results["startup"][0]
        },
        "remarks": remarks(results, rows),
    }
