"""Tools for instructors: execute lessons, make pages and slides, release and grade exercises."""
