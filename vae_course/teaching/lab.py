"""Copy the lessons to a folder of the student's own, and open JupyterLab there."""

import copy
import re

SOLUTION = re.compile(r"^( *)### BEGIN SOLUTION\n.*?### END SOLUTION$", re.M | re.S)
HIDDEN = re.compile(r"^ *### BEGIN HIDDEN TESTS\n.*?### END HIDDEN TESTS\n?", re.M | re.S)
CODE = "# YOUR CODE HERE"
TEXT = "*Double-click here, and write your answer in place of this line.*"


def blank(exercise):
    """Return a copy of an exercise without solutions, hidden tests and outputs, as nbgrader releases it."""
    released = copy.deepcopy(exercise)
    for cell in released.cells:
        mine = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        elif mine.get("solution"):
            cell.source = TEXT
        cell.source = SOLUTION.sub(rf"\1{CODE}", cell.source)
        cell.source = HIDDEN.sub("", cell.source).rstrip("\n")
    return released
