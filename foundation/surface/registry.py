"""Services by their class, as a surface finds them: ``use(Marketplace)``.

The composition root puts the services of this process into the Flask application; endpoints and
pages ask by type, so that a feature's surface names nothing above itself.
"""

from typing import TypeVar, cast

from flask import Flask, current_app

T = TypeVar("T")
_KEY = "borough.services"


def provide(app: Flask, *services: object) -> None:
    """Make services available to the endpoints of an application."""
    app.extensions.setdefault(_KEY, {}).update({type(service): service for service in services})


def use(kind: type[T]) -> T:
    """The service of that class in the running application.

    Raises:
        LookupError: the application was built without it.
    """
    try:
        service = current_app.extensions[_KEY][kind]
    except KeyError:
        raise LookupError(f"{kind.__name__} was not provided to the application") from None
    return cast("T", service)
