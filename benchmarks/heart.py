"""Make the recording of lesson 9's alarm, `vae_course/heart.npz`, from a record of PhysioNet's ahadb.

The record is in the source archive of the package wfdb 4.3.0, from which `python -m benchmarks.heart
wfdb-4.3.0.tar.gz` takes it. `pip download --no-deps --no-binary wfdb wfdb==4.3.0` fetches the archive.
"""

import hashlib
import tarfile
import zlib
from pathlib import Path

import click
import numpy as np
from scipy import signal

from vae_course.atomic import write_atomically
from vae_course.data import HEART

FILES = {  # SHA-256
    "0001.dat": "ec0aa6e8ebfce65f562b101900fcf03331f02fb85b9e387a98d45e3df73624e1",
    "0001.atr": "ad356e2748a38dfa3cd1593a11f61deb0cee0ec936996dc29614a2cb9ae38f09",
}
UNITS, ANNOTATED = 400, 2_250_000  # steps of the converter in 1 mV; first sample with beats


def read_signal(content):
    """Unpack two leads from WFDB's format 212, in which three bytes hold two numbers of 12 bits.

    Args:
        content: The bytes of a .dat file.

    Returns:
        int64 array of shape `(n, 2)`, in steps of the converter.
    """
    low, middle, high = np.frombuffer(content, np.uint8).reshape(-1, 3).T.astype(int)
    both = np.stack([low + ((middle & 15) << 8), high + ((middle >> 4) << 8)], axis=1)
    return np.where(both > 2047, both - 4096, both)


def read_beats(content):
    """Read the beats of a WFDB annotation file that has no other annotations.

    Args:
        content: The bytes of an .atr file.

    Returns:
        Sample numbers and codes (1 is a normal beat, 5 a ventricular one), two int64 arrays.

    Raises:
        ValueError: If the file has annotations of another kind.
    """
    words = iter(np.frombuffer(content, "<u2").tolist())
    time, beats = 0, []
    for word in words:
        code, step = word >> 10, word & 1023
        if word == 0:
            break
        if code == 59:  # a long pause, its length in the next two words
            time += (next(words) << 16) + next(words)
        elif code in (1, 5):
            time += step
            beats.append((time, code))
        else:
            raise ValueError(f"Code {code} is no beat: this reader knows only codes 1, 5 and 59.")
    return np.array(beats).T


@click.command()
@click.argument("archive", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(archive):
    """Take the record from wfdb's source ARCHIVE and write the annotated half hour at half the rate."""
    try:
        with tarfile.open(archive) as tar:
            found = {
                name: tar.extractfile(f"wfdb-4.3.0/tmp_dl_dir/{name}").read() for name in FILES
            }
    except (tarfile.TarError, KeyError, EOFError, OSError, zlib.error) as error:
        raise click.BadParameter(
            f"{archive} is not the source archive of wfdb 4.3.0, or is damaged ({error})."
        ) from error
    for name, content in found.items():
        if (digest := hashlib.sha256(content).hexdigest()) != FILES[name]:
            raise click.BadParameter(f"{name} has digest {digest}, not {FILES[name]}.")
    millivolts = read_signal(found["0001.dat"])[ANNOTATED:] / UNITS
    time, code = read_beats(found["0001.atr"])
    halved = signal.decimate(millivolts, 2, axis=0, ftype="fir")  # shifts no phase
    hundredths = np.round(100 * halved).astype("int16")
    at = np.round((time - ANNOTATED) / 2).astype("int32")
    keep = at >= 0
    with write_atomically(HEART) as path, open(path, "wb") as file:
        # Differences take a third less room than the values.
        steps = np.diff(hundredths, axis=0, prepend=np.zeros((1, 2), "int16"))
        np.savez_compressed(file, steps=steps.T, beats=at[keep], ventricular=code[keep] == 5)


if __name__ == "__main__":
    main()
