"""Write environment.yml from pyproject.toml and requirements.lock: `make lock` runs it.

conda and Binder install with pip, but cannot read a lock with hashes next to an editable package. They
get the same versions of the same packages, by name.
"""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]


def wanted():
    """Return what pyproject.toml asks for, tests included: from name to `Requirement`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = project["dependencies"] + project["optional-dependencies"]["test"]
    return {Requirement(line).name.lower().replace("_", "-"): Requirement(line) for line in lines}


def locked():
    """Return the pins of requirements.lock: from name to a list of (version, marker or "")."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pins = {}
    for name, version, marker in re.findall(r"^([\w.-]+)==([^\s;]+)(?: ; (.*?))? \\$", text, re.M):
        pins.setdefault(name, []).append((version, marker))
    return pins


def environment():
    """Return the text of environment.yml."""
    lines = []
    for name in sorted(wanted()):
        for version, marker in locked()[name]:
            pin = f"{name}=={version}" + (f" ; {marker}" if marker else "")
            lines.append(f'      - "{pin}"' if marker else f"      - {pin}")
    return "\n".join(
        [
            "# For conda and Binder. Written by `make lock` from pyproject.toml and requirements.lock.",
            "name: vae-course",
            "channels:",
            "  - conda-forge",
            "dependencies:",
            "  - python>=3.11,<3.14",
            "  - pip",
            "  - pip:",
            *lines,
            "      - -e .",
            "",
        ]
    )


if __name__ == "__main__":
    (ROOT / "environment.yml").write_text(environment(), encoding="utf-8")
