"""Judge a submission outside of its kernel, so that nothing done to that kernel can earn a point.

A test cell comes from the exercise with its solutions, never from the submission. It runs in this process. Of
the names in it, those that a solution cell or the parameters define are the student's: their values come over
the wire, and functions are called in the kernel on inputs that it cannot foresee. All other names are defined
here, by the exercise's own cells.
"""

import ast
import builtins
import contextlib
import functools
import io
import json
import traceback

import nbformat
from nbformat.v4 import new_output

from vae_course.exercises.compare import called_with
from vae_course.exercises.verdict import NotYet, Verdict
from vae_course.exercises.wire import MIME_TYPE, pack, unpack
from vae_course.grading.clean import about, is_test, without_magics
from vae_course.grading.models import build
from vae_course.teaching.kernel import CellError

REPLY = "__import__('vae_course.exercises.wire', fromlist=['reply']).reply({!r})"


class Judge:
    """Judges the test cells of one submission.

    Args:
        exercise: JSON text of the exercise's notebook, with solutions and hidden tests.
        ask: Function that lets the submission's kernel run a line of code, and returns the outputs.
    """

    def __init__(self, exercise, ask):
        self._ask = ask
        self._cells = [c for c in nbformat.reads(exercise, 4).cells if c.cell_type == "code"]
        self._exercise, self._parameters = exercise, {}
        self._students, self._given = set(), {}
        for place, cell in enumerate(self._cells):
            names = _names(cell.source, ast.Store)
            if "parameters" in cell.metadata.get("tags", []):
                self._parameters = dict.fromkeys(names)
            elif about(cell).get("solution"):
                self._students |= names
            elif not is_test(cell):
                self._given |= {name: place for name in names if name not in self._given}

    def judge(self, grade_id):
        """Judge a test cell.

        Args:
            grade_id: Its name.

        Returns:
            Its outputs, and whether a person has to read the answer.
        """
        (cell,) = [cell for cell in self._cells if about(cell).get("grade_id") == grade_id]
        printed, value, self.reading, outputs = io.StringIO(), None, False, []
        names = {}
        try:
            with contextlib.redirect_stdout(printed):
                names |= self._namespace(cell.source)
                value = _run(cell.source, names)
        except NotYet as problem:
            value = 0.0
            printed.write(f"{Verdict(str(problem), 0.0)}\n")
        except CellError:
            raise
        except Exception as error:
            lines = traceback.format_exception_only(error)
            told = {"ename": type(error).__name__, "evalue": str(error), "traceback": lines}
            outputs = [new_output("error", **told)]
        unsolved = Verdict("This could not be checked.", 0.0)
        for name in _names(cell.source, ast.Store):  # later cells look at the verdict
            if isinstance(verdict := names.get(name, unsolved), Verdict):
                with contextlib.suppress(NotYet):
                    self._request({"set": name, "text": verdict.text, "share": verdict.share})
        if text := printed.getvalue():
            outputs.insert(0, new_output("stream", name="stdout", text=text))
        if value is not None:
            data = {"text/plain": repr(value)}
            outputs.append(new_output("execute_result", data=data, execution_count=None))
        return outputs, self.reading

    def _namespace(self, source):
        wanted = _names(source, ast.Load) - set(dir(builtins))
        names = {}
        for name in wanted & (self._students | set(self._parameters)):
            names[name] = self._show(name)
        others = wanted - set(names)
        if places := tuple(sorted({self._given[name] for name in others if name in self._given})):
            for name in self._parameters:
                self._parameters[name] = self._show(name)
            key = json.dumps(self._parameters, default=lambda value: None)
            given = _given_names(self._exercise, key, places)
            names |= {name: given[name] for name in others if name in given}
        return names

    def _request(self, request):
        answers = [o.data[MIME_TYPE] for o in self._ask(REPLY.format(json.dumps(request)))
                   if o.output_type == "display_data" and MIME_TYPE in o.data]  # fmt: skip
        if len(answers) != 1 or not isinstance(answers[0], dict):
            raise NotYet(
                "Your notebook's kernel does not answer. Did it change the course's package?"
            )
        return answers[0]

    def _show(self, name):
        answer = self._request({"show": name})
        if "missing" in answer:
            raise NameError(f"name {name!r} is not defined")
        return self._read(answer)

    def _read(self, answer):
        try:
            return unpack(answer["value"], self._special)
        except NotYet:
            raise
        except Exception as error:  # a submission may send anything
            raise NotYet(f"The answer cannot be read ({type(error).__name__}: {error}).") from error

    def _special(self, raw):
        """Build a function, a model, or a stand-in for an object of another type."""
        match raw:
            case {
                "function": int(number),
                "name": str(name),
                "empty": empty,
                "package": str(package),
            }:
                return _Function(self, number, name, empty, package)
            case {"other": str(name)}:
                return type(name, (), {})()
        try:
            return build(raw, lambda part: unpack(part, self._special))
        except Exception as error:
            self.reading = True
            reason = f"{error}".partition("\n")[0][:200]
            raise NotYet(f"This model needs a person who looks at it: {reason}") from error


class _Function:
    """A student's function, which is called in the kernel of the submission."""

    def __init__(self, judge, number, name, empty, package):
        self._judge, self._number, self.empty = judge, number, bool(empty)
        self.__name__, self.__module__ = name, package

    def __call__(self, *args):
        return self.call_there(self.__name__, {f"argument {n}": a for n, a in enumerate(args)})

    def call_there(self, name, inputs, gradients=False):
        request = {"call": self._number, "name": name, "gradients": gradients}
        answer = self._judge._request(request | {"inputs": pack(inputs)})
        if "value" not in answer:
            problem = answer.get("not yet", f"{name} gives no answer.")
            raise NotYet(str(problem)[:2000] or called_with(inputs))
        return self._judge._read(answer)


def _names(source, context):
    """Return the names that code uses anywhere (`ast.Load`) or defines outside functions (`ast.Store`)."""
    names, nodes = set(), [ast.parse(without_magics(source))]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, context):
            names.add(node.id)
        if context is ast.Store:
            if isinstance(node, ast.Import | ast.ImportFrom):
                names |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names.add(node.name)
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda | ast.ListComp):
                continue
        nodes += ast.iter_child_nodes(node)
    return names


def _run(source, names):
    """Run code, and return the value of its last line if that is an expression."""
    tree = ast.parse(without_magics(source))
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<test>", "exec"), names)
    if last is not None:
        return eval(compile(ast.Expression(last.value), "<test>", "eval"), names)
    return None


@functools.lru_cache(maxsize=4)
def _given_names(exercise, parameters, places):
    """Run those of an exercise's own cells that are needed for some of its cells; return what they define."""
    judge = Judge(exercise, None)
    names, done = json.loads(parameters), set()

    def run(place):
        done.add(place)
        source = judge._cells[place].source
        for name in _names(source, ast.Load) - set(names):
            needed = judge._given.get(name, place)
            if needed not in done:
                run(needed)
        _run(source, names)

    with contextlib.redirect_stdout(io.StringIO()):
        for place in set(places) - done:
            run(place)
    return names
