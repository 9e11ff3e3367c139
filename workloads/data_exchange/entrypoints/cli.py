"""``borough-exchange``: every command by name; each is loaded when it is run."""

import click

from foundation.surface.cli.lazy import LazyGroup

_HERE = "workloads.data_exchange"
_MEMBERS = {
    "administrator": (f"{_HERE}.entrypoints.processes:administrator", "Add an administrator."),
    "agency": (f"{_HERE}.agencies.commands:agency", "Agencies."),
    "audit": ("foundation.access.commands:audit", "The audit log."),
    "check": (f"{_HERE}.checks.commands:check", "Checks of applicants."),
    "completion": ("foundation.surface.cli.commands:completion", "Shell completion."),
    "config": (f"{_HERE}.entrypoints.processes:config", "Settings of this environment."),
    "context": ("foundation.surface.cli.commands:context", "Services you signed in to."),
    "db": (f"{_HERE}.entrypoints.processes:db", "The database's schema."),
    "key": (f"{_HERE}.keys.commands:key", "Keys that sign."),
    "ledger": (f"{_HERE}.ledger.commands:ledger", "Who asked about a citizen."),
    "login": ("foundation.access.commands:login", "Sign in to a service."),
    "logout": ("foundation.access.commands:logout", "Sign out of a service."),
    "operation": ("foundation.operations.commands:operation", "Long work: watch, cancel."),
    "person": ("foundation.access.commands:person", "People and their roles."),
    "population": (f"{_HERE}.population.commands:population", "A synthetic city."),
    "scenario": (f"{_HERE}.checks.commands:scenario", "Scenarios of checks."),
    "serve": (f"{_HERE}.entrypoints.processes:serve", "Run the web and API process."),
    "token": ("foundation.access.commands:token", "API tokens."),
    "usage": (f"{_HERE}.usage.commands:usage", "What was used, by the hour."),
    "whoami": ("foundation.access.commands:whoami", "Who you are to the service."),
    "worker": (f"{_HERE}.entrypoints.processes:worker", "Run a worker."),
}

_SECTIONS = {
    "Checks": ("check", "scenario", "ledger"),
    "Administrators": ("agency", "key", "person", "operation", "audit", "usage"),
    "Account": ("login", "logout", "whoami", "token", "context", "completion"),
    "The service itself": ("population", "serve", "worker", "db", "administrator", "config"),
}


@click.group(
    cls=LazyGroup,
    members=_MEMBERS,
    sections=_SECTIONS,
    program="borough-exchange",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 not allowed, 5 conflict, "
    "6 wait timed out.",
)
@click.version_option(package_name="borough", prog_name="borough-exchange")
def exchange() -> None:
    """Data between agencies: publish, agree, use, prove."""


def main() -> None:
    """The console script."""
    exchange(prog_name="borough-exchange")


if __name__ == "__main__":
    main()
