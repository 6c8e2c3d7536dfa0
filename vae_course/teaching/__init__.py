"""Tools for instructors: execute lessons, make a web site and slides, release and grade exercises."""
