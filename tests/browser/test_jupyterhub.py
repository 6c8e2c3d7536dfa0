"""A class on a real JupyterHub in a real browser: instructor and students, from release to feedback."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import types

import lab
import psutil
import pytest
from pins import ROOT
from seen import LIMIT
from small import HAS_CAGE
from submissions import answers_of, hand_in

from vae_course.data import load_digits
from vae_course.teaching.release import EXERCISES

NAME = "ex03_reparameterization"
HERS = "A path from the loss back to the mean is what the first sampler lacks."
TRUST = "" if HAS_CAGE else "--trust-students"
HIS = "I do not know, and I ask for mercy."
LOADED = "() => window.formgrader?.grades?.loaded && window.formgrader.comments?.loaded"


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """Give the hub's address, its folder, and its passwords by role; no process of it may be left."""
    missing = [name for name in ("node", "npm") if not shutil.which(name)]
    if missing or os.name == "nt":
        give_up(f"the hub's proxy needs {' and '.join(missing) or 'Linux or a Mac'}")
    folder = tmp_path_factory.mktemp("hub")
    data = load_digits(os.environ.get("VAE_COURSE_DATASET", "auto"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    process = subprocess.Popen(
        [sys.executable, ROOT / "hub" / "start.py", "--port", port, "--folder", folder],
        env=lab.environment(folder, data),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said = ""
    while (line := process.stdout.readline()) and "Ctrl-C stops it" not in line:
        said += line
    if "npm could not fetch" in said:
        give_up(said)
    log = folder / "hub.log"
    assert "for TRYING OUT" in said, said + (log.read_text() if log.exists() else "")
    passwords = json.loads((folder / "hub.json").read_text())
    assert passwords["student"] in said and passwords["instructor"] in said
    yield types.SimpleNamespace(
        address=f"http://127.0.0.1:{port}", folder=folder, passwords=passwords, said=said
    )
    started = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) == 0
    assert len(started) > 2  # the hub, its proxy, and each user's server, kernel and terminal
    assert not [p for p in started if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def give_up(reason):
    """Skip the tests, or let them fail where a browser and what npm fetches are required."""
    if os.environ.get("VAE_COURSE_REQUIRE_BROWSER") == "all":
        pytest.fail(reason)
    pytest.skip(reason)


class User:
    """Somebody who has logged in, with JupyterLab open.

    Args:
        browser: Playwright's browser.
        hub: What the fixture gave.
        name: The user's name.
    """

    def __init__(self, browser, hub, name):
        self.name, self.home = name, hub.folder / "homes" / name
        size = {"width": 1280, "height": 800}
        self.page = browser.new_context(viewport=size).new_page()
        self.page.set_default_timeout(1000 * LIMIT)
        self.page.goto(hub.address)
        self.page.fill("#username_input", name)
        role = "instructor" if name == "instructor" else "student"
        self.page.fill("#password_input", hub.passwords[role])
        self.show("login")
        self.page.click("#login_submit")
        self.page.locator(".jp-DirListing-item", has_text="00_start_here").wait_for()

    def show(self, what):
        """Keep a picture for people to look at."""
        lab.SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=lab.SCREENSHOTS / f"hub-{self.name}-{what}.png")

    def menu(self, *items):
        """Choose an item of JupyterLab's menus."""
        self.page.locator("#jp-MainMenu").get_by_text(items[0], exact=True).click()
        for item in items[1:]:
            self.page.locator(".lm-Menu").get_by_text(item, exact=True).click()

    def close_dialog(self):
        """Read the dialog that is open, and close it."""
        dialog = self.page.locator(".jp-Dialog")
        text = dialog.inner_text()
        dialog.locator("button").last.click()
        dialog.wait_for(state="detached")
        return text


class Student(User):
    """A student, with the list of assignments open."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.page.locator("#jp-MainMenu").get_by_text("Nbgrader").click()
        items = self.page.locator(".lm-Menu-item:visible .lm-Menu-itemLabel").all_inner_texts()
        assert items == ["Assignment List"]  # a student's menu has nothing of an instructor
        self.page.locator(".lm-Menu").get_by_text("Assignment List").click()

    def part(self, what):
        """Return a part of the list: of released, fetched or submitted assignments."""
        return self.page.locator(f"#{what}_assignments_list")

    def fetch(self):
        """Fetch the assignment, and open its notebook."""
        self.part("released").get_by_role("button", name="Fetch").click()
        self.part("fetched").get_by_text(NAME).first.click()
        self.show("fetched")

    def solve(self, answers, by_hand):
        """Write answers into the notebook, one of them by hand in JupyterLab."""
        folder = self.home / NAME
        hand_in(folder / f"{NAME}.ipynb", folder, answers)
        self.part("fetched").locator(".nested_list_item a").click()
        cell = self.page.locator(".jp-Cell", has_text="gradient_by_hand = None")
        cell.locator(".cm-content").click()
        self.page.keyboard.press("ControlOrMeta+A")
        self.page.keyboard.insert_text(by_hand)
        self.show("solved")

    def validate(self):
        """Press Validate, which saves first; return what it says."""
        self.page.locator(".jp-NotebookPanel-toolbar").get_by_text("Validate").click()
        self.page.locator(".jp-Dialog").wait_for()
        self.show("validated")
        return self.close_dialog()

    def submit(self):
        """Go back to the list, and submit."""
        self.page.locator(".lm-TabBar-tab", has_text="Assignments").click()
        self.part("fetched").get_by_role("button", name="Submit").click()
        self.part("submitted").get_by_text(NAME).first.wait_for()

    def read_feedback(self):
        """Fetch the feedback and open its page in JupyterLab; return what it says."""
        self.page.click("#refresh_assignments_list")
        self.part("submitted").get_by_role("button", name="Fetch Feedback").click()
        self.part("submitted").get_by_text(NAME).first.click()
        self.part("submitted").get_by_text("view feedback").first.click()
        self.page.locator(".jp-DirListing-item", has_text=f"{NAME}.html").dblclick()
        page = self.page.frame_locator(".jp-HTMLViewer iframe")
        page.get_by_text("Score:").first.wait_for()
        self.show("feedback")
        return page.locator("body").inner_text()


class Instructor(User):
    """The instructor, with the form grader open."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.menu("Nbgrader", "Formgrader")
        self.grader = self.page.frame_locator("iframe")

    def follow(self, link, place=0):
        """Follow a link of the form grader, and wait until its page is there.

        The old page may have the same rows and links until the new one comes: what is pressed there is lost.
        """
        self.grader.locator("html").evaluate("page => page.classList.add('old')")
        self.grader.get_by_role("link", name=link, exact=True).nth(place).click()
        self.grader.locator("html:not(.old)").wait_for(state="attached")

    def press(self, what, row=NAME, link=None):
        """Press what is in a column of a row of the form grader, and return what it answers."""
        if link:
            self.follow(link)
        self.grader.locator("tr", has_text=row).locator(f"td.{what} a").click()
        answer = self.grader.locator(".modal.in", has_text=re.compile("Success|Error"))
        answer.wait_for()
        text = answer.inner_text()
        answer.locator("button.close").last.click(trial=True)  # once it has come to rest
        self.show(what)
        answer.locator("button.close").last.click()
        answer.wait_for(state="hidden")
        return text

    def type(self, command):
        """Type a command into JupyterLab's terminal."""
        self.page.locator(".jp-Terminal .xterm-helper-textarea").focus()
        self.page.keyboard.insert_text(command)
        self.page.keyboard.press("Enter")

    def run(self, command):
        """Run a command in JupyterLab's terminal to its end, and return its status."""
        ready, done = self.home / "ready", self.home / "done"
        self.menu("File", "New", "Terminal")
        self.page.locator(".jp-Terminal .xterm-helper-textarea").wait_for(state="attached")
        while not ready.exists():  # what is typed before it is connected is lost
            self.type("touch ~/ready")
            self.page.wait_for_timeout(1000)
        self.type(f"{command}; echo $? > ~/done.part; mv ~/done.part ~/done")
        end = time.monotonic() + LIMIT
        while not done.exists() and time.monotonic() < end:
            self.page.wait_for_timeout(200)
        self.show("terminal")
        return done.read_text()

    def score(self, points):
        """Score the text of each submission by hand; `points` has points and a comment for each text."""
        self.page.locator(".lm-TabBar-tab", has_text="Formgrader").click()
        for place in range(len(points)):
            for link in ("Manual Grading", NAME, NAME):
                self.follow(link)
            self.follow(re.compile("Submission #"), place)
            page = self.page.locator("iframe").element_handle().content_frame()
            page.wait_for_function(LOADED)  # what is typed before is not saved
            box = self.grader.locator("#trap-answer")
            cell = self.grader.locator(".nbgrader_cell", has=box)
            (text,) = [text for text in points if text in cell.inner_text()]
            number, comment = points[text]
            for what, field, text in (
                ("grade", box, number),
                ("comment", self.grader.locator("#trap-answer-comment"), comment),
            ):
                with self.page.expect_response(re.compile(f"/formgrader/api/{what}/")) as answer:
                    field.fill(text)
                    field.press("Tab")
                assert answer.value.ok and answer.value.request.method == "PUT"
            self.show(f"scored-{place}")
        self.follow("Manual Grading")


def test_a_class_from_release_to_feedback(browser, hub):
    """Each sees what is meant for them, points are those of `vae-course grade`, and nothing runs uncaged."""
    instructor = Instructor(browser, hub, "instructor")
    assert f"Successfully released '{NAME}'" in instructor.press("release")
    right = answers_of(EXERCISES / f"{NAME}.ipynb") | {"trap-answer": HERS}
    by_hand = right.pop("hand")
    ada, ben = Student(browser, hub, "ada"), Student(browser, hub, "ben")
    for student in (ada, ben):
        student.fetch()
    ada.solve(right, by_hand)
    ben.solve({"why": right["why"], "trap-answer": HIS}, "gradient_by_hand = 17")
    assert "Success! Your notebook passes all the tests" in ada.validate()
    told = ben.validate()
    assert "NOT YET" in told and "TO DO" in told and "Success" not in told
    ada.submit()
    ben.submit()

    assert "Successfully collected" in instructor.press("collect", link="Manage Assignments")
    course = instructor.home / "nbgrader"
    submitted = {p.relative_to(course).as_posix() for p in course.glob("submitted/*/*/*.ipynb")}
    assert submitted == {f"submitted/{name}/{NAME}/{NAME}.ipynb" for name in ("ada", "ben")}
    instructor.grader.locator("tr", has_text=NAME).locator("td.num-submissions a").click()
    refused = instructor.press("autograde", row="ada")
    assert "Grade it in a cage instead" in refused and not (course / "autograded").exists()
    command = "vae-course grade ~/nbgrader/submitted --out ~/nbgrader"
    assert instructor.run(f"{command} {TRUST}") == "0\n"
    rows = (course / "grades.csv").read_text().splitlines()
    assert [row.split(",")[:5] for row in rows[1:]] == [
        ["ada", NAME, "10.0", "12.0", "2.0"],
        ["ben", NAME, "1.0", "12.0", "2.0"],
    ]
    instructor.score({HERS: ("2", "Well said."), HIS: ("0.5", "Mercy is granted.")})
    for what in ("generate-feedback", "release-feedback"):
        assert "Successfully" in instructor.press(what, link="Manage Assignments")

    hers, his = ada.read_feedback(), ben.read_feedback()
    assert "Score: 12.0 / 12.0" in hers and HERS in hers and "Well said." in hers
    assert "Score: 1.5 / 12.0" in his and HIS in his and "Mercy is granted." in his
    assert HIS not in hers and HERS not in his
    for student in (ada, ben):
        assert len(list(student.home.glob(f"{NAME}/feedback/*/*.html"))) == 1
    get = ada.page.request.get
    assert get(f"{hub.address}/user/ada/api/status").status == 200
    assert get(f"{hub.address}/user/ben/api/status").status == 403
    assert get(f"{hub.address}/user/ada/formgrader/manage_assignments").status == 404
