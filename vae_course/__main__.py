"""Start the command line, as `vae-course` or `python -m vae_course`, whatever it is started from.

Nothing heavy is imported here, so that this file is at work before the two seconds in which the rest loads.
"""

import io
import os
import sys
import warnings


class _Outlet(io.FileIO):
    """A pipe that falls silent when nobody reads it any more, as after `| head`, so that work goes on."""

    def write(self, data):
        try:
            return super().write(data)
        except BrokenPipeError:
            return len(data)


def main():
    """Run the command line; Ctrl-C while it loads ends it with exit status 130, and no traceback."""
    try:
        prepare()
        from vae_course.cli import main
    except KeyboardInterrupt:
        sys.exit(130)
    main(prog_name="vae-course")


def prepare():
    """Give this process and those that it starts an output that never fails, and no Python warnings."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, name)
        if stream is None:  # as in a service, or after `2>&-`: else the next file would be number 2
            stream = open(os.devnull, "w" if number else "r", encoding="utf-8")
            os.set_inheritable(stream.fileno(), True)
        elif number and not stream.isatty():
            pipe = io.BufferedWriter(_Outlet(stream.fileno(), "w", closefd=False))
            at_once = stream.line_buffering or stream.write_through
            options = {"errors": stream.errors, "line_buffering": at_once}
            stream = io.TextIOWrapper(pipe, stream.encoding, **options)
        setattr(sys, name, stream)
    if os.environ.pop("PYTHONWARNINGS", ""):  # "error" would stop any of the packages that we use
        sys.warnoptions.clear()
        warnings.simplefilter("ignore")


if __name__ == "__main__":
    main()
