"""What every command gets: the client of the chosen platform and the chosen form of output."""

import contextlib
import functools
import json
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

import click

from foundation.kernel.settings import ClientSettings, Program
from foundation.surface.cli import output
from foundation.surface.cli.client import Client
from foundation.surface.cli.contexts import Context, resolve
from foundation.surface.cli.output import Column
from foundation.surface.cli.plain import plain
from foundation.surface.cli.program import client_settings, program_name
from foundation.surface.cli.waiting import Waiting

P = ParamSpec("P")
R = TypeVar("R")


class Console:
    """One run of a command.

    Args:
        settings: the client's settings from the environment.
        form: table, wide, json, yaml or name.
        context: the name of a context; empty for the current one.
        url: the address of a platform; empty for the context's.
        curl: whether to show each API request as a curl command on standard error.
        waiting: whether and how long to wait for operations.
    """

    def __init__(
        self,
        settings: ClientSettings,
        *,
        form: str = "table",
        context: str = "",
        url: str = "",
        curl: bool = False,
        waiting: Waiting | None = None,
    ) -> None:
        self.settings = settings
        self.form = form
        self._context = context
        self._url = url
        self._curl = curl
        self._waiting = waiting or Waiting()
        self._hidden: tuple[str, ...] = ()

    @functools.cached_property
    def context(self) -> Context:
        """The platform to speak to."""
        return resolve(self.settings, name=self._context, url=self._url)

    @functools.cached_property
    def client(self) -> Client:
        """A client of it."""
        return self.client_for(self.context.url, self.context.token)

    def client_for(self, url: str, token: str = "") -> Client:
        """A client of another address (``borough login --url URL``)."""
        return Client(url, token, observe=self._show_curl if self._curl else None)

    def conceal(self, secrets: Sequence[str]) -> None:
        """Show none of these, whatever is shown of requests."""
        self._hidden = tuple(secrets)

    def _show_curl(self, method: str, address: str, body: bytes | None) -> None:
        for secret in self._hidden if body is not None else ():
            # As it stands in JSON, without the quotes around it.
            for text in (json.dumps(secret, ensure_ascii=False)[1:-1], secret):
                body = body.replace(text.encode(), b"********") if body else body
        _show_curl(method, address, body)

    def rows(
        self,
        items: Iterable[Mapping[str, Any]],
        columns: Sequence[Column],
        *,
        name: str = "id",
    ) -> None:
        """Print a list; ``name`` is what ``-o name`` prints of each item."""
        output.write_rows(items, columns, self.form, name=name, language=self.settings.language)

    def one(self, item: Mapping[str, Any], columns: Sequence[Column], *, name: str = "id") -> None:
        """Print one thing."""
        output.write_one(item, columns, self.form, name=name, language=self.settings.language)

    def text(self, text: str, item: Mapping[str, Any] | None = None) -> None:
        """Print a drawing of an item (a plan, a staircase); ``-o json`` prints the item itself."""
        if item is not None and self.form in {"json", "yaml"}:
            click.echo(output.document(item, self.form))
        elif item is not None and self.form == "name":
            click.echo(output.cell(item.get("id")))
        else:
            click.echo(plain(text))

    def say(self, message: str) -> None:
        """Tell the person something that is not the result: it goes to standard error."""
        click.echo(plain(message), err=True)

    def confirm(self, question: str, *, yes: bool = False) -> None:
        """Go on only if the person says so (or said so with ``--yes``).

        Raises:
            click.UsageError: there is no terminal to ask on.
        """
        if yes:
            return
        if not sys.stdin.isatty():
            raise click.UsageError(f"{question} Say --yes when there is no terminal to ask on.")
        click.confirm(question, abort=True, err=True)

    def follow(self, operation: str | Mapping[str, Any]) -> dict[str, Any]:
        """Wait for an operation unless ``--no-wait`` was said; answers it as it is then.

        Args:
            operation: its id, or a JSON object that is one.

        Raises:
            Failure: it failed, was cancelled or is stuck; it did not end in time (code 6); what
                was approved has changed (code 7).
        """
        operation_id = operation if isinstance(operation, str) else str(operation["id"])
        return self._waiting.follow(self.client, operation_id)


def _show_curl(method: str, address: str, body: bytes | None) -> None:
    parts = ["curl", "-X", method, address, "-H", ""]
    if body is not None:
        shown = body.decode(errors="replace")
        parts += ["-H", "Content-Type: application/json", "--data", shown]
    quoted = [shlex.quote(part) for part in parts]
    # The token stays a variable: it is not for the screen.
    variable = f"{Program(program_name()).prefix}TOKEN"
    quoted[5] = f'"Authorization: Bearer ${variable}"'
    click.echo(" ".join(quoted), err=True)


def console(
    *, api: str = "", web: str = "", waits: bool = False
) -> Callable[[Callable[Concatenate[Console, P], R]], Callable[P, R]]:
    """Give a command its ``Console`` as first argument, and the options that all commands have.

    Put it directly above the function, below click's own decorators. The names ``output``,
    ``context``, ``url`` and ``curl`` (and ``wait``, ``timeout``) are taken by it.

    Args:
        api: the equivalent request, shown in the help: ``GET /api/v1/orders``.
        web: the equivalent page, shown in the help: ``/orders``.
        waits: the command starts long work: adds ``--wait/--no-wait`` and ``--timeout``.
    """

    def decorate(command: Callable[Concatenate[Console, P], R]) -> Callable[P, R]:
        @functools.wraps(command)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            taken: dict[str, Any] = {
                name: kwargs.pop(f"console_{name}") for name in ("form", "context", "url", "curl")
            }
            waiting = None
            if waits:
                waiting = Waiting(
                    wanted=bool(kwargs.pop("console_wait")),
                    timeout=_seconds(kwargs.pop("console_timeout")),
                    quiet=taken["form"] != "table",
                )
            made = Console(client_settings(), waiting=waiting, **taken)
            return command(made, *args, **kwargs)

        shown = "\n".join(
            line for line in (f"API: {api}" if api else "", f"Web: {web}" if web else "") if line
        )
        if shown:
            run.__doc__ = f"{(command.__doc__ or '').rstrip()}\n\n\b\n{shown}\n"
        for option in reversed(_options(waits=waits)):
            run = option(run)
        return run

    return decorate


def _seconds(value: object) -> float | None:
    return value if isinstance(value, float) else None


def _options(*, waits: bool) -> list[Callable[[Callable[..., Any]], Callable[..., Any]]]:
    options: list[Callable[[Callable[..., Any]], Callable[..., Any]]] = [
        click.option(
            "-o", "--output", "console_form", type=click.Choice(output.FORMATS), default="table",
            show_default=True, help="Form of the output.",
        ),
        click.option(
            "--context", "console_context", default="", metavar="NAME",
            help="Platform to speak to: one of `context list`.",
        ),
        click.option(
            "--url", "console_url", default="", metavar="URL",
            help="Address of the platform; the token is the variable BOROUGH_TOKEN.",
        ),
        click.option(
            "--curl", "console_curl", is_flag=True,
            help="Show the API requests as curl commands (standard error).",
        ),
    ]  # fmt: skip
    if waits:
        options += [
            click.option(
                "--wait/--no-wait", "console_wait", default=True, show_default=True,
                help="Wait until the work has ended.",
            ),
            click.option(
                "--timeout", "console_timeout", type=click.FloatRange(min=0), default=None,
                metavar="SECONDS", help="Wait so long at most; the work goes on. Exit code 6.",
            ),
        ]  # fmt: skip
    return options


def make_console() -> Console:
    """A console with the defaults of the environment, for completion and for scripts."""
    return Console(client_settings())


def complete(path: str, *, name: str = "id", **params: object) -> Callable[..., list[str]]:
    """Shell completion of an argument from a list of the API; silent when it does not answer.

    Use as ``@click.argument("order_id", shell_complete=cli.complete("/orders"))``.
    """

    def candidates(_ctx: click.Context, _parameter: click.Parameter, typed: str) -> list[str]:
        found: list[str] = []
        with contextlib.suppress(click.ClickException, KeyError, TypeError):
            items = make_console().client.items(path, limit=100, **params)
            found = [str(output.at(item, name)) for item in items]
        return [value for value in found if value.startswith(typed)]

    return candidates
