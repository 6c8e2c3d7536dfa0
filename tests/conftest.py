"""Helpers that several test modules use."""

import nbformat
import pytest
from nbclient import NotebookClient


@pytest.fixture(scope="session")
def execute():
    """Give a function that executes sources as the cells of a notebook in a fresh kernel."""

    def execute(*sources):
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        notebook = nbformat.v4.new_notebook(cells=cells)
        return NotebookClient(notebook, timeout=120, kernel_name="python3").execute()

    return execute
