"""``borough-video``: every command by name; each is loaded when it is run."""

import click

from foundation.surface.cli.lazy import LazyGroup

_HERE = "workloads.video_analytics"
_MEMBERS = {
    "administrator": (f"{_HERE}.entrypoints.processes:administrator", "Add an administrator."),
    "audit": ("foundation.access.commands:audit", "The audit log."),
    "completion": ("foundation.surface.cli.commands:completion", "Shell completion."),
    "config": (f"{_HERE}.entrypoints.processes:config", "Settings of this environment."),
    "context": ("foundation.surface.cli.commands:context", "Services you signed in to."),
    "db": (f"{_HERE}.entrypoints.processes:db", "The database's schema."),
    "login": ("foundation.access.commands:login", "Sign in to a service."),
    "logout": ("foundation.access.commands:logout", "Sign out of a service."),
    "models": (f"{_HERE}.vision.models.commands:models", "Optional models of this machine."),
    "operation": ("foundation.operations.commands:operation", "Long work: watch, cancel."),
    "person": ("foundation.access.commands:person", "People and their roles."),
    "serve": (f"{_HERE}.entrypoints.processes:serve", "Run the web and API process."),
    "token": ("foundation.access.commands:token", "API tokens."),
    "watchlist": (f"{_HERE}.watchlists.commands:watchlist", "Watch lists of faces and plates."),
    "whoami": ("foundation.access.commands:whoami", "Who you are to the service."),
}

_SECTIONS = {
    "Administrators": ("person", "watchlist", "operation", "audit"),
    "Account": ("login", "logout", "whoami", "token", "context", "completion"),
    "The service itself": ("serve", "db", "administrator", "config", "models"),
}


@click.group(
    cls=LazyGroup,
    members=_MEMBERS,
    sections=_SECTIONS,
    program="borough-video",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 not allowed, 5 conflict, "
    "6 wait timed out.",
)
@click.version_option(package_name="borough", prog_name="borough-video")
def video() -> None:
    """Cameras of any vendor, watched for what a city cares about."""


def main() -> None:
    """The console script."""
    video(prog_name="borough-video")


if __name__ == "__main__":
    main()
