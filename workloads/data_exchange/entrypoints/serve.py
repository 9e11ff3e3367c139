"""``borough-exchange serve``: the API and the pages of one process."""

from foundation.serving.answering import answer, listen
from foundation.serving.app import Parts
from foundation.serving.base import add_first_administrator
from foundation.serving.face import theme
from foundation.serving.processes import start_logging
from foundation.surface.runtime import Runtime
from workloads.data_exchange import PRODUCT
from workloads.data_exchange.bootstrap import Exchange, open_exchange
from workloads.data_exchange.entrypoints.app import ABOUT, create_app
from workloads.data_exchange.migrations import SCHEMA
from workloads.data_exchange.settings import PROGRAM, Settings


def serve(settings: Settings) -> None:
    """Answer requests until SIGTERM or SIGINT.

    Raises:
        Failure: the address cannot be listened on.
    """
    start_logging(settings)
    listening = listen(settings)
    with open_exchange(settings) as exchange:
        add_first_administrator(exchange.people, exchange.base.database, settings)
        answer(create_app(parts(exchange), settings), listening, settings, PRODUCT.title)


def parts(exchange: Exchange) -> Parts:
    """What the application is made of."""
    base = exchange.base
    return Parts(
        runtime=Runtime(base.database, base.clock, base.secrets),
        authenticator=base.authenticator,
        services=exchange.services,
        ready={
            "database": base.answers,
            "schema": lambda: SCHEMA.is_current(base.database),
        },
        theme=theme(exchange.settings, PROGRAM, ABOUT),
    )
