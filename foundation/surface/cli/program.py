"""Which program runs: its outermost command says so (``LazyGroup``)."""

import click

from foundation.kernel.settings import ClientSettings, Program, client_from_environment


def program_name() -> str:
    """The name of the program that runs; ``borough`` outside of any command."""
    context = click.get_current_context(silent=True)
    root = context.find_root().command if context else None
    return str(getattr(root, "program", "borough"))


def client_settings() -> ClientSettings:
    """The settings of the program that runs, as a client."""
    return client_from_environment(Program(program_name()))
