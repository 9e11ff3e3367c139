"""Declares nothing."""  # noqa: INP001 - a program, not a module
