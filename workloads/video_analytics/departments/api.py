"""Departments over HTTP."""

from typing import Annotated

from flask.typing import ResponseReturnValue
from pydantic import Field

from foundation.kernel.paging import Page
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    PageOut,
    PageQuery,
    Schema,
    Slug,
    TextBody,
    check_match,
    created,
    current_actor,
    etag,
    idempotent,
    rehearsable,
    requires,
    requires_match,
    use,
    with_etag,
)
from workloads.video_analytics.departments.model import Department
from workloads.video_analytics.departments.service import Departments

api = ApiBlueprint("departments", __name__, tag="Departments")

External = Annotated[
    str, Field(max_length=200, description="Its id on the platform that sold this service.")
]


class DepartmentCreate(Input):
    """A new department."""

    parent: Annotated[
        str, Field(min_length=1, max_length=500, description="Id or path of the one above; / .")
    ] = "/"
    slug: Slug
    name: TextBody
    external: External = ""


class DepartmentChange(Input):
    """What may change of a department; its path stays."""

    name: TextBody
    external: External = ""


class DepartmentOut(Schema):
    """A department: cameras, people and their roles belong to one."""

    id: str
    path: Annotated[str, Field(description="From the root, such as /city/water/.")]
    name: TextBody
    external: str


@api.get("/departments")
@requires("department.view")
@api.input(PageQuery, location="query")
@api.output(PageOut[DepartmentOut])
def list_departments(query_data: PageQuery) -> Page[Department]:
    """The departments that you may see, by path."""
    return use(Departments).departments(current_actor(), query_data.page())


@api.post("/departments")
@requires("department.manage")
@rehearsable
@idempotent
@api.input(DepartmentCreate)
@api.output(DepartmentOut, 201)
def create_department(json_data: DepartmentCreate) -> ResponseReturnValue:
    """Add a department to the tree."""
    made = use(Departments).create(
        current_actor(),
        parent=json_data.parent,
        slug=json_data.slug,
        name=json_data.name.value(),
        external=json_data.external,
    )
    return created(made, f"/api/v1/departments/{made.id}", _tag(made))


@api.get("/departments/<department_id>")
@requires("department.view")
@api.output(DepartmentOut)
def get_department(department_id: str) -> Answer:
    """One department."""
    found = use(Departments).department(current_actor(), department_id)
    return with_etag(found, _tag(found))


@api.patch("/departments/<department_id>")
@requires("department.manage")
@rehearsable
@requires_match
@api.input(DepartmentChange)
@api.output(DepartmentOut)
def change_department(department_id: str, json_data: DepartmentChange) -> Answer:
    """Give a department another name; its path stays."""
    departments, actor = use(Departments), current_actor()
    seen = departments.department(actor, department_id)
    check_match(_tag(seen))
    changed = departments.change(
        actor, seen.id, name=json_data.name.value(), external=json_data.external
    )
    return with_etag(changed, _tag(changed))


@api.delete("/departments/<department_id>")
@requires("department.manage")
@api.output({}, status_code=204)
def remove_department(department_id: str) -> ResponseReturnValue:
    """Remove a department that has nothing below it and owns nothing."""
    use(Departments).remove(current_actor(), department_id)
    return "", 204


def _tag(one: Department) -> str:
    return etag(one.id, one.name, one.external)
