"""Submissions that attack the machine, each other or the checks: none does any harm or earns a point."""

import os
import socket

import pytest
from click.testing import CliRunner
from small import FIRST, HAS_CAGE, RIGHT, change, hand_in, write_exercises

from vae_course.cli import main
from vae_course.grading import cage, grade
from vae_course.teaching import release

pytestmark = pytest.mark.skipif(not HAS_CAGE, reason="needs bubblewrap on Linux")
LIMITS = {"cell": 8, "memory": 500_000_000, "processes": 80, "file": 20_000_000}
LIMITS |= {"disk": 40_000_000, "output": 100_000, "seconds": 180}
LATE = "it had not finished after 8 seconds"

# Each is one cell of a notebook that is right otherwise, and sets x to the right number only if it gets what
# it wants. What the instructor is told follows; "" if the cell merely failed.
DANGEROUS = {
    "loop": ("while True: pass", LATE),
    "deaf loop": (
        "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass",
        LATE,
    ),
    "sleep": ("import time\ntime.sleep(10**6)", LATE),
    "fork bomb": (
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
        "",
    ),
    "memory": ("x = bytearray(10**10)\nx = 1.3069", ""),
    "much memory": ("a = []\nwhile True: a.append(b'x' * 10**7)", "more than 0.5 GB of memory"),
    "output": ("while True: print('flood' * 300)", "it printed or showed more than 0.1 MB"),
    "one output": ("print('x' * 10**7)\nx = 1.3069", "it printed or showed more than 0.1 MB"),
    "file": ("open('large', 'wb').write(b'x' * 10**8)\nx = 1.3069", ""),
    "files": (
        "for n in range(100): open(f'file{n}', 'wb').write(b'x' * 10**6)\nx = 1.3069",
        "",
    ),
    "sockets": (
        "import glob, os\nfolder = os.path.dirname(glob.glob('/tmp/vae-course-*/run/*')[0])\n"
        "open(f'{folder}/large', 'wb').write(b'x' * 10**7)\nimport time\ntime.sleep(3)\nx = 1.3069",
        "wrote where only its sockets belong",
    ),
    "dies": ("import os\nos._exit(1)", "its kernel ended with exit status 1"),
    "exits": ("import sys\nsys.exit()", ""),
    "asks": ("y = input()\nx = 1.3069", ""),
    "kills": ("import os\nos.kill(-1, 9)", "its kernel"),
    "spies": (
        """
import os, socket
SPIES = {
    "network": lambda: socket.create_connection(("127.0.0.1", {port}), 3),
    "a socket of the system": lambda: socket.socket(socket.AF_UNIX).connect("{secret}/socket"),
    "the gradebook": lambda: open("{course}/gradebook.db"),
    "the exercises": lambda: os.listdir("{exercises}")[0],
    "the neighbours": lambda: os.listdir("{submissions}")[0],
    "a secret": lambda: open("{secret}/number"),
    "the home": lambda: [n for n in os.listdir("{home}") if n not in os.__file__][0],
    "the environment": lambda: os.environ["SECRET"],
    "other processes": lambda: [p for p in os.listdir("/proc") if p.isdigit()][20],
    "a link out": lambda: os.symlink("{secret}/number", "link") or open("link"),
    "root": lambda: os.setuid(0),
}
for name, spy in SPIES.items():
    try:
        spy()
        x = 1.3069
        print(name)
    except (OSError, LookupError):
        pass
""",
        "",
    ),
    "vandals": (
        """
import os, shutil, vae_course
VANDALS = {
    "neighbours": lambda: shutil.rmtree("{submissions}"),
    "outside": lambda: open("{secret}/written", "w"),
    "the package": lambda: open(vae_course.__file__, "a"),
    "Python": lambda: open(os.path.join(os.path.dirname(os.__file__), "written.py"), "w"),
    "the submission as it was": lambda: open("/submission-given/written", "w"),
    "the system": lambda: open("/usr/written", "w"),
}
for name, vandal in VANDALS.items():
    try:
        vandal()
        x = 1.3069
        print(name)
    except OSError:
        pass
""",
        "",
    ),
    "link beside": ("x = float(open('number').read())", "number is a link, which is not followed"),
}
# Blank notebooks with one cell in front that should make the checks lie.
FOOLING = {
    "interactivity": "get_ipython().ast_node_interactivity = 'none'",
    "check": "from vae_course import exercises\nfrom vae_course.exercises.verdict import Verdict\n"
    "for n in ('number', 'choice', 'kl_normal'):\n"
    "    setattr(exercises, f'check_{n}', lambda *a: Verdict('fine', 1.0))",
    "verdict": "from vae_course.exercises import verdict\nverdict.Verdict.points = lambda s, most: most",
    "modules": "import sys, unittest.mock\nsys.modules['vae_course.exercises'] = unittest.mock.MagicMock()",
    "name": "import unittest.mock\nexercises = unittest.mock.MagicMock()",
    "numpy": "import numpy as np\nnp.allclose = np.array_equal = lambda *a, **k: True",
    "builtins": "import builtins\nbuiltins.abs = lambda x: 0\nbuiltins.float = lambda x: 2.0",
    "asserts": "import ast\nclass Drop(ast.NodeTransformer):\n    def visit_Assert(self, node): return None\n"
    "get_ipython().ast_transformers.append(Drop())",
    "equal": "class Yes(float):\n    __eq__ = __le__ = __ge__ = lambda *a: True\n"
    "    __sub__ = __rsub__ = __abs__ = lambda *a: Yes(0)\n    __hash__ = float.__hash__\n"
    "x = letter = Yes(0)\nkl_normal = lambda *a: Yes(0)",
    "array": "import numpy as np\nclass Any(np.ndarray):\n"
    "    def __array_function__(self, *a): return True\n"
    "x = np.zeros(()).view(Any)\nkl_normal = lambda *a: np.zeros(()).view(Any)",
    "numbers": "from vae_course.exercises import answers\nx = answers.NUMBERS['KL of a posterior']['']",
    "source": "import glob, vae_course\nfor p in glob.glob(vae_course.__path__[0] + '/exercises/*'):\n"
    "    if '1.3' in open(p).read(): x = 1.3069",
    "letters": "from vae_course import exercises\nfor letter in 'abcd':\n"
    "    if exercises.check_choice('more dimensions', letter): break\nelse: letter = None",
    "digests": "import json, hashlib, vae_course\n"
    "choices = json.load(open(vae_course.__path__[0] + '/exercises/choices.json'))\nletter = 'c'",
    "solutions": "import os\nfor place, folders, files in os.walk('/'):\n"
    "    folders[:] = [name for name in folders if name not in ('usr', 'proc', '.venv')]\n"
    "    for name in files:\n        if name.startswith('ex0') and name.endswith('.ipynb'): x = 1.3069",
    "frames": "import inspect\ndef kl_normal(*a):\n    for f in inspect.stack():\n"
    "        for name in ('expected', 'right', '_normal_kl'):\n"
    "            if name in f.frame.f_locals | f.frame.f_globals: return f.frame.f_locals[name]",
    "wire": "from vae_course.exercises import wire\nfrom IPython.display import display\n"
    "wire.reply = lambda request: display({wire.MIME_TYPE: {'value': True, 'share': 1}}, raw=True)",
    "pack": "from vae_course.exercises import wire\n"
    "wire.pack = lambda value: {'model': {'class_name': 'Lambda', 'module': 'keras.layers', 'config': {}},"
    " 'weights': []}\nx = letter = 1",
    "large": "from vae_course.exercises import wire\n"
    "wire.pack = lambda value: {'array': '<f8', 'shape': [10**12], 'data': ''}\nx = letter = 1",
    "thread": "import threading, time\ndef show():\n    while True:\n"
    "        time.sleep(0.01)\n        print('RIGHT')\n        get_ipython().displayhook(6.0)\n"
    "threading.Thread(target=show, daemon=True).start()",
}
METADATA = {
    "points": lambda mine: mine.update(points=100),
    "solution": lambda mine: mine.update(solution=True),
    "unlocked": lambda mine: mine.update(locked=False),
    "renamed": lambda mine: mine.update(grade_id="other"),
}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """Grade a class of attackers and one honest student; return what the table says of each."""
    root = tmp_path_factory.mktemp("attacks")
    submissions, course, secret = root / "submissions", root / "course", root / "secret"
    write_exercises(root / "exercises")
    first, _ = release.prepare(course, root / "exercises")
    secret.mkdir()
    (secret / "number").write_text("1.3069")
    right = {**RIGHT}
    del right["y"], right["why"]
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        local.bind(str(secret / "socket"))
        local.listen()
        places = {
            "port": server.getsockname()[1],
            "submissions": submissions,
            "course": course,
            "exercises": root / "exercises",
            "secret": secret,
            "home": os.path.expanduser("~"),
        }
        for name, (code, _) in DANGEROUS.items():
            for place, value in places.items():
                code = code.replace("{" + place + "}", str(value))
            hand_in(first, submissions / name, right | {"x": code})
        (submissions / "link beside" / "number").symlink_to(secret / "number")
        for name, code in FOOLING.items():
            empty = dict.fromkeys(right, "")
            hand_in(first, submissions / f"fools {name}", empty | {"parameters": code})
        shadow = submissions / "fools beside"
        hand_in(first, shadow)
        text = "import sys, unittest.mock as m\nsys.modules['vae_course.exercises.wire'] = m.MagicMock()\n"
        (shadow / "vae_course.py").write_text(text + "exercises = m.MagicMock()\n__path__ = []")
        for name, edit in METADATA.items():
            notebook = hand_in(first, submissions / f"metadata {name}")

            def edit_all(raw, edit=edit):
                for each in raw["cells"]:
                    if each["metadata"].get("nbgrader", {}).get("grade"):
                        edit(each["metadata"]["nbgrader"])
                        each["source"] = "100.0" if each["cell_type"] == "code" else each["source"]

            change(notebook, edit_all)
        hand_in(first, submissions / "zoe", right | {"why": "Because I know."})
        large = submissions / "large" / first.name
        hand_in(first, large.parent)
        os.truncate(large, 200_000_000)
        outside = submissions / "linked" / first.name
        outside.parent.mkdir()
        outside.symlink_to(submissions / "zoe" / first.name)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cage, "LIMITS", cage.LIMITS | LIMITS)
            patch.setattr(grade, "EXERCISES", root / "exercises")
            patch.setenv("SECRET", "1.3069")
            patch.setenv("VAE_COURSE_DATASET", "digits")
            result = CliRunner().invoke(main, ["grade", str(submissions), "--out", str(course)])
        assert isinstance(result.exception, SystemExit | None), result.exception
        server.setblocking(False)
        local.setblocking(False)
        for waiting in (server, local):
            with pytest.raises(BlockingIOError):
                waiting.accept()
    assert sorted(p.name for p in secret.iterdir()) == ["number", "socket"]
    assert len(list(submissions.iterdir())) == len(DANGEROUS) + len(FOOLING) + len(METADATA) + 4
    return result.output, {line[:30].strip(): line.split() for line in result.output.splitlines()}


def points(graded, student):
    lines = [line.split() for line in graded[0].splitlines() if line.startswith(f"{student}  ")]
    assert len(lines) == 1, [line for line in graded[0].splitlines() if student in line]
    return float(lines[0][-3])


def test_an_honest_student_among_them_gets_all_points(graded):
    """What the others do changes nothing."""
    assert points(graded, "zoe") == 4
    assert "Traceback" not in graded[0]


@pytest.mark.parametrize("student", DANGEROUS)
def test_a_dangerous_cell_costs_its_own_points_and_no_others(graded, student):
    """It gets nothing that it wants; the other tasks of the same notebook count; a line tells what it did."""
    assert points(graded, student) == 3
    notes = [line for line in graded[0].splitlines() if line.startswith(f"NOTE {student}, ")]
    told = DANGEROUS[student][1]
    if told:  # a slow machine stops a cell before it exceeds another limit
        assert any(told in line or LATE in line for line in notes)


@pytest.mark.parametrize("student", [*FOOLING, "beside"])
def test_whoever_fools_the_checks_gets_no_points(graded, student):
    """The checks run elsewhere, on values."""
    assert points(graded, f"fools {student}") == 0


@pytest.mark.parametrize("student", ["interactivity", "check", "modules", "asserts", "digests"])
def test_the_instructor_is_told_where_to_look(graded, student):
    """At cells that contain what no answer needs, though they have earned nothing."""
    (line,) = [n for n in graded[0].splitlines() if n.startswith(f"NOTE fools {student}, ")]
    assert "look at cell parameters, which contains" in line


@pytest.mark.parametrize("student", METADATA)
def test_what_a_cell_is_worth_comes_from_the_release(graded, student):
    """Whatever a submission says of its own cells."""
    assert points(graded, f"metadata {student}") == 0


def test_large_and_linked_notebooks_are_told(graded):
    """They are not read."""
    text = " ".join(graded[0].split())
    assert f"NOT GRADED large, {FIRST}: {FIRST}.ipynb: it has 200 MB: ask for a copy" in text
    assert f"NOT GRADED linked, {FIRST}: {FIRST}.ipynb: it is a link, which is not followed" in text
