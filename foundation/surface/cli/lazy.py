"""A command group whose members are loaded when they are run."""

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class LazyGroup(click.Group):
    """A group that knows names and one-line helps, and imports a member only to run it.

    Args:
        program: the program whose commands these are, for its variables and folders.
        members: name to (``package.module:attribute``, help).
        sections: heading to names, in the order of the help.
    """

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - click's own
        members: Mapping[str, tuple[str, str]],
        sections: Mapping[str, tuple[str, ...]],
        program: str = "borough",
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(*args, **kwargs)
        self._members = members
        self._sections = sections
        self.program = program

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(self._members)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in self._members:
            return None
        module, _, attribute = self._members[cmd_name][0].partition(":")
        found = getattr(importlib.import_module(module), attribute)
        if not isinstance(found, click.Command):
            raise TypeError(f"{module}:{attribute} is no click command")
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for heading, names in self._sections.items():
            with formatter.section(heading):
                formatter.write_dl([(name, self._members[name][1]) for name in names])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - completion only

        found = [
            CompletionItem(name, help=self._members[name][1])
            for name in self.list_commands(ctx)
            if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)
