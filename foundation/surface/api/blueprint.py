"""The blueprint of a feature's HTTP resources: APIFlask's, with our reading of requests."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import pydantic
from apiflask import APIBlueprint
from flask import request

from foundation.surface.api.schema import read_form_or_json, read_json, read_query

_READ = {"json": read_json, "query": read_query, "form_or_json": read_form_or_json}

F = TypeVar("F", bound=Callable[..., Any])


class ApiBlueprint(APIBlueprint):
    """Resources under ``/api/v1``.

    Args:
        name: the feature or noun, unique in the application.
        import_name: ``__name__`` of the module.
        tag: the heading in the published description.
    """

    def __init__(self, name: str, import_name: str, *, tag: str) -> None:
        super().__init__(name, import_name, url_prefix="/api/v1", tag=tag)

    def input(  # type: ignore[override]  # narrower: pydantic, JSON bodies and queries
        self,
        schema: type[pydantic.BaseModel],
        location: str = "json",
        arg_name: str | None = None,
        **options: Any,  # noqa: ANN401 - passed through to the description
    ) -> Callable[[F], F]:
        """Read the body (``json_data``) or the parameters (``query_data``) into a model.

        Args:
            schema: an ``Input``.
            location: ``json``, ``query``, or ``form_or_json``: a body of either kind, which is
                described as JSON and handed over as ``json_data``.
            arg_name: another name of the view's argument.
            options: ``example``, ``examples`` for the description.
        """
        read = _READ[location]
        place = "json" if location == "form_or_json" else location
        describe = super().input(schema, location=place, arg_name=arg_name, **options)
        name = arg_name or f"{place}_data"

        def decorate(view: F) -> F:
            described = describe(view)

            @functools.wraps(described)
            def reading(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
                kwargs[name] = read(request, schema)
                return view(*args, **kwargs)

            return reading  # type: ignore[return-value]  # same call, one argument supplied

        return decorate
