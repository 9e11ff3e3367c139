"""``borough context``, ``borough config`` and ``borough completion``: the client's own verbs."""

import click

from control_plane.kernel import settings as kernel_settings
from control_plane.kernel.errors import Invalid
from control_plane.surface.cli.console import Console, console
from control_plane.surface.cli.contexts import Contexts
from control_plane.surface.cli.exits import USAGE, Failure
from control_plane.surface.cli.output import Column

_CONTEXTS = (
    Column("CURRENT", lambda item: "*" if item["current"] else " "),
    Column("NAME", "name"),
    Column("URL", "url"),
    Column("ACCOUNT", "account"),
)
_SETTINGS = (
    Column("NAME", "name"),
    Column("VALUE", "value"),
    Column("MEANING", "meaning"),
)


@click.group()
def context() -> None:
    """Platforms that you have signed in to."""


def _names(_ctx: click.Context, _parameter: click.Parameter, typed: str) -> list[str]:
    known = Contexts.load(kernel_settings.client_from_environment()).known
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
@console()
def config(console: Console) -> None:
    """Show the settings of a platform started from this environment, and what they mean."""
    try:
        current = kernel_settings.from_environment()
    except Invalid as error:
        wrong = "\n".join(f"  {problem.field}: {problem.message}" for problem in error.problems)
        raise Failure(f"the environment is wrong:\n{wrong}", USAGE) from None
    rows = [
        {"name": name, "value": value, "meaning": meaning}
        for name, value, meaning in kernel_settings.describe(current)
    ]
    console.rows(rows, _SETTINGS, name="name")


_COMPLETION = """Print the completion script of a shell.

\b
bash: eval "$(borough completion bash)" in ~/.bashrc
zsh:  eval "$(borough completion zsh)" in ~/.zshrc
fish: borough completion fish > ~/.config/fish/completions/borough.fish
"""


@click.command(help=_COMPLETION)
@click.argument("shell", type=click.Choice(["bash", "fish", "zsh"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    from click.shell_completion import get_completion_class  # noqa: PLC0415 - rarely needed

    kind = get_completion_class(shell)
    if kind is None:
        raise Failure(f"there is no completion for {shell}", USAGE)
    click.echo(kind(ctx.find_root().command, {}, "borough", "_BOROUGH_COMPLETE").source())
