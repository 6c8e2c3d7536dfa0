"""What a lesson does before its first picture, in a fresh interpreter, timed step by step."""

import json
import time


def main():
    """Print the seconds that each step took."""
    times = [time.perf_counter()]
    import vae_course  # noqa: F401

    times.append(time.perf_counter())
    from vae_course.lesson import begin

    begin(1)
    times.append(time.perf_counter())
    from vae_course import pretrained

    pretrained.load("vae-100-mnist")
    times.append(time.perf_counter())
    steps = ("import vae_course", "begin(1)", "load the checkpoint")
    passed = [after - before for before, after in zip(times[:-1], times[1:], strict=True)]
    print(json.dumps(dict(zip(steps, passed, strict=True))), flush=True)


if __name__ == "__main__":
    main()
