"""``borough-exchange``: every command by name; each is loaded when it is run."""

import click

from foundation.surface.cli.lazy import LazyGroup

_HERE = "workloads.data_exchange"
_MEMBERS = {
    "administrator": (f"{_HERE}.entrypoints.processes:administrator", "Add an administrator."),
    "agency": (f"{_HERE}.agencies.commands:agency", "Agencies."),
    "agreement": (f"{_HERE}.agreements.contracts.commands:agreement", "Agreements."),
    "archive": (f"{_HERE}.entrypoints.processes:archive", "Old receipts into files."),
    "audit": ("foundation.access.commands:audit", "The audit log."),
    "call": (f"{_HERE}.gateway.commands:call", "Call a service through the gateway."),
    "catalog": (f"{_HERE}.directory.commands:catalog", "The directory as DCAT-AP."),
    "calendar": (f"{_HERE}.agreements.calendar.commands:calendar", "Working days."),
    "check": (f"{_HERE}.checks.commands:check", "Checks of applicants."),
    "completion": ("foundation.surface.cli.commands:completion", "Shell completion."),
    "config": (f"{_HERE}.entrypoints.processes:config", "Settings of this environment."),
    "context": ("foundation.surface.cli.commands:context", "Services you signed in to."),
    "correction": (f"{_HERE}.checks.corrections.commands:correction", "Objections to answers."),
    "dataset": (f"{_HERE}.directory.commands:dataset", "Data sets and services."),
    "dataspace": (f"{_HERE}.dataspace.commands:dataspace", "The Dataspace Protocol."),
    "db": (f"{_HERE}.entrypoints.processes:db", "The database's schema."),
    "flows": (f"{_HERE}.flows.commands:flows", "Who exchanges with whom."),
    "gateway": (f"{_HERE}.entrypoints.processes:gateway", "Run the gateway process."),
    "key": (f"{_HERE}.keys.commands:key", "Keys that sign."),
    "ledger": (f"{_HERE}.ledger.commands:ledger", "Who asked about a citizen."),
    "licence": (f"{_HERE}.licences.commands:licence", "Licences: issue, revoke, verify."),
    "licence-type": (f"{_HERE}.licences.commands:licence_type", "Types of licences."),
    "login": ("foundation.access.commands:login", "Sign in to a service."),
    "logout": ("foundation.access.commands:logout", "Sign out of a service."),
    "lottery": (f"{_HERE}.lottery.commands:lottery", "Lotteries: draw, recompute."),
    "operation": ("foundation.operations.commands:operation", "Long work: watch, cancel."),
    "person": ("foundation.access.commands:person", "People and their roles."),
    "request": (f"{_HERE}.agreements.requests.commands:request", "Requests for access."),
    "receipt": (f"{_HERE}.receipts.commands:receipt", "Receipts: what was asked and answered."),
    "population": (f"{_HERE}.population.commands:population", "A synthetic city."),
    "scenario": (f"{_HERE}.checks.commands:scenario", "Scenarios of checks."),
    "serve": (f"{_HERE}.entrypoints.processes:serve", "Run the web and API process."),
    "service": (f"{_HERE}.directory.commands:service", "Services: how data are called."),
    "source": (f"{_HERE}.harvesting.commands:source", "Other platforms' catalogues."),
    "token": ("foundation.access.commands:token", "API tokens."),
    "events": (f"{_HERE}.events.commands:events", "Events: publish, subscribe."),
    "transfer": (f"{_HERE}.transfers.commands:transfer", "Batches of files: send, fetch."),
    "usage": (f"{_HERE}.usage.commands:usage", "What was used, by the hour."),
    "verify": (f"{_HERE}.receipts.commands:verify", "Verify a bundle of receipts, off-line."),
    "whoami": ("foundation.access.commands:whoami", "Who you are to the service."),
    "worker": (f"{_HERE}.entrypoints.processes:worker", "Run a worker."),
}

_SECTIONS = {
    "Data": (
        "dataset", "service", "catalog", "source", "request", "agreement", "call", "transfer",
        "events", "dataspace",
    ),
    "Checks and draws": ("check", "scenario", "correction", "ledger", "lottery"),
    "Licences": ("licence", "licence-type"),
    "Evidence": ("flows", "receipt", "verify"),
    "Administrators": ("agency", "key", "calendar", "person", "operation", "audit", "usage"),
    "Account": ("login", "logout", "whoami", "token", "context", "completion"),
    "The service itself": (
        "serve", "gateway", "worker", "archive", "db", "administrator", "config", "population",
    ),
}  # fmt: skip


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
