"""``context`` and ``completion``: the client's own verbs, the same for every program."""

import click

from foundation.surface.cli.console import Console, console
from foundation.surface.cli.contexts import Contexts
from foundation.surface.cli.exits import USAGE, Failure
from foundation.surface.cli.output import Column
from foundation.surface.cli.program import client_settings, program_name

_CONTEXTS = (
    Column("CURRENT", lambda item: "*" if item["current"] else " "),
    Column("NAME", "name"),
    Column("URL", "url"),
    Column("ACCOUNT", "account"),
)


@click.group()
def context() -> None:
    """Platforms that you have signed in to."""


def _names(_ctx: click.Context, _parameter: click.Parameter, typed: str) -> list[str]:
    known = Contexts.load(client_settings()).known
    return [item.name for item in known if item.name.startswith(typed)]


@context.command("list")
@console()
def context_list(console: Console) -> None:
    """List them; `borough login` adds one."""
    contexts = Contexts.load(console.settings)
    items = [
        {
            "name": item.name,
            "url": item.url,
            "account": item.account,
            "current": item.name == contexts.current,
        }
        for item in contexts.known
    ]
    console.rows(items, _CONTEXTS, name="name")


@context.command("use")
@click.argument("name", shell_complete=_names)
@console()
def context_use(console: Console, name: str) -> None:
    """Speak to that platform from now on."""
    contexts = Contexts.load(console.settings).use(name)
    contexts.save()
    console.say(f"Using {name} ({contexts.get(name).url}).")


@context.command("remove")
@click.argument("name", shell_complete=_names)
@console()
def context_remove(console: Console, name: str) -> None:
    """Forget a platform and the token for it."""
    Contexts.load(console.settings).without(name).save()
    console.say(f"Forgot {name}.")


@click.command()
@click.argument("shell", type=click.Choice(["bash", "fish", "zsh"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell, to be evaluated where it starts."""
    from click.shell_completion import get_completion_class  # noqa: PLC0415 - rarely needed

    kind = get_completion_class(shell)
    if kind is None:
        raise Failure(f"there is no completion for {shell}", USAGE)
    root, name = ctx.find_root().command, program_name()
    variable = f"_{name.upper().replace('-', '_')}_COMPLETE"
    click.echo(kind(root, {}, name, variable).source())
