"""The directory in a real browser: publish, review, find; accessible in both languages."""

import urllib.error
import urllib.request
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from foundation.kernel.actor import Actor
from foundation.kernel.errors import Unavailable
from foundation.kernel.paging import PageRequest
from foundation.kernel.text import Text
from foundation.surface.web import build_assets
from tests.functional.exchange.directory.conftest import Running
from tests.functional.web.conftest import Visitor, browser, visit
from tests.harness.directory import dataset, published, service
from tests.harness.exchange import CIVIL, SYSTEM
from workloads.data_exchange.directory.model import Kind
from workloads.data_exchange.directory.ports import EntryQuery
from workloads.data_exchange.harvesting.model import SourceProtocol

__all__ = ["browser", "visit"]

pytestmark = pytest.mark.skipif(not build_assets.is_built(), reason="the assets are not built")


def test_a_data_set_is_published_by_two_people_and_found(
    running: Running, visit: Callable[..., Visitor]
) -> None:
    steward = visit(running.url)
    steward.sign_in("steward")
    page = steward.go("/directory/new?kind=dataset")
    page.select_option("#f-agency", CIVIL)
    page.get_by_role("button", name="Keep the draft").click()
    expect(page.locator(".usa-alert--error")).to_contain_text("Title in English")
    steward.check_accessible()
    for field, text in (
        ("title-en", "Marriages"), ("title-zh", "婚姻登记信息"),
        ("description-en", "Who married whom, by day."), ("description-zh", "按日登记的婚姻。"),
        ("legal-basis", "Marriage Registration Regulations"), ("contact-name", "Data office"),
        ("elements", "id | /id | Number | 编号 | string | personal | pseudonym\nday | /day"),
        ("distributions", "csv | File | 文件 | csv | https://data.civil.example/m"),
    ):  # fmt: skip
        page.fill(f"#f-{field}", text)
    page.locator("label", has_text="Population and society").click()
    page.get_by_role("button", name="Keep the draft").click()
    expect(page.locator("h1")).to_have_text("Marriages")
    page.get_by_role("button", name="Give it to review").click()
    expect(page.locator("body")).to_contain_text("It waits for somebody else's review")
    [made] = running.exchange.cataloguing.directory.entries(
        SYSTEM, EntryQuery(path=CIVIL), PageRequest()
    ).items

    reviewer = visit(running.url)
    reviewer.sign_in("reviewer")
    page = reviewer.go("/directory/reviews")
    page.get_by_role("link", name="Marriages").click()
    reviewer.check_accessible()
    page.get_by_role("button", name="Send it back").click()
    expect(page.locator(".usa-alert--error")).to_contain_text("say why")
    page.get_by_role("button", name="Publish it").click()
    expect(page.locator("body")).to_contain_text("It was published")
    page.goto(f"{running.url}/directory?q=婚姻")
    page.get_by_role("link", name="Marriages").click()
    expect(page.locator("table").first).to_contain_text("pseudonym")
    assert page.url.endswith(made.id)
    # The form says again what was said.
    page = steward.go(f"/directory/{made.id}/edit")
    assert page.input_value("#f-elements").splitlines()[1].startswith("day | /day | day")
    page.fill("#f-title-en", "Marriages by day")
    page.get_by_role("button", name="Keep the draft").click()
    expect(page.locator("body")).to_contain_text("not published yet")
    page = steward.go("/directory/mine")
    expect(page.locator("main")).to_contain_text("Marriages by day")


def test_a_source_is_mounted_and_taken_down(
    running: Running, visit: Callable[..., Visitor]
) -> None:
    someone = visit(running.url)
    someone.sign_in("chief")
    page = someone.go("/directory/sources?lang=en")
    page.get_by_role("button", name="Mount", exact=True).click()
    expect(page.locator(".usa-alert--error")).to_contain_text("Address")
    page.fill("#f-url", "https://data.district.example/catalog.ttl")
    page.select_option("#f-agency", CIVIL)
    page.fill("[id='f-title-en']", "District")
    page.fill("[id='f-title-zh']", "区平台")
    page.get_by_role("button", name="Mount", exact=True).click()
    page.get_by_role("link", name="District").click()
    page.get_by_role("button", name="Read it now").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    unmount = page.get_by_role("button", name="Unmount it and take its entries out")
    unmount.click()
    expect(page.locator(".usa-alert--error")).to_contain_text("a run reads it now")
    harvesting = running.exchange.cataloguing.harvesting
    source = next(one for one in harvesting.sources(SYSTEM) if "district" in one.url)
    (run,) = harvesting.runs(SYSTEM, source.id, PageRequest()).items
    harvesting.end(run.id, Unavailable("it answered 500"))
    page = someone.go(f"/directory/sources/{source.id}?lang=zh")
    expect(page.locator("tbody tr")).to_contain_text("它返回了 500")
    page = someone.go(f"/directory/sources/{source.id}?lang=en")
    unmount.click()
    expect(page.locator("h1")).to_have_text("Other platforms")
    expect(page.get_by_role("link", name="District")).to_have_count(0)


@pytest.mark.rehearsal
def test_every_page_is_accessible_in_both_languages(
    running: Running, visit: Callable[..., Visitor]
) -> None:
    data = published(running.exchange, dataset())
    served = published(running.exchange, service(data.id), Kind.SERVICE, secret="s3cret")
    source = running.exchange.cataloguing.harvesting.mount(
        SYSTEM, agency=CIVIL, protocol=SourceProtocol.CKAN, url="https://data.province.example",
        title=Text("Province", "省平台"),
    )  # fmt: skip
    someone = visit(running.url)
    someone.sign_in("chief")
    for path in (
        "/directory", "/directory?q=户籍&theme=SOCI", f"/directory/{data.id}",
        f"/directory/{served.id}", f"/directory/{served.id}/edit", "/directory/new?kind=service",
        "/directory/new?kind=series", "/directory/mine", "/directory/reviews",
        "/directory/sources", f"/directory/sources/{source.id}",
    ):  # fmt: skip
        page = someone.go(path)
        assert someone.status is not None
        assert someone.status.status == 200, path
        assert "s3cret" not in page.content()
        someone.check_accessible()
    page = someone.go("/directory?lang=zh&q=户籍")
    expect(page.locator("h1")).to_have_text("目录")
    expect(page.locator("body")).to_contain_text("家庭户籍登记信息")
    someone.go("/?lang=en")


def test_rdf_is_answered_as_it_is_asked_for(running: Running) -> None:
    data = published(running.exchange, dataset("Widows", "丧偶人员"))
    app = running.exchange
    person = app.people.create_person(
        SYSTEM, login="robot", name="Robot", path="/", password="robot-demo-only"
    )
    app.people.grant(SYSTEM, principal_id=person.id, role="exchange_officer", path="/")
    token = app.base.gate.create_token(Actor(person.id, "Robot", person.kind), name="t")[1]

    def get(path: str, accept: str, **more: str) -> tuple[int, str, bytes, str]:
        headers = {"Authorization": f"Bearer {token}", "Accept": accept, **more}
        asked = urllib.request.Request(running.url + path, headers=headers)  # noqa: S310
        try:
            with urllib.request.urlopen(asked) as answer:  # noqa: S310
                kind = answer.headers.get_content_type()
                return answer.status, kind, answer.read(), answer.headers["ETag"]
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers.get_content_type(), error.read(), ""

    for accept, kind in (
        ("text/turtle", "text/turtle"), ("application/ld+json", "application/ld+json"),
        ("application/rdf+xml", "application/rdf+xml"), ("*/*", "text/turtle"),
        ("text/html;q=0.5, application/rdf+xml;q=0.9", "application/rdf+xml"),
    ):  # fmt: skip
        status, told, body, tag = get(f"/api/v1/catalog/{data.id}", accept)
        assert (status, told) == (200, kind)
        assert b"Widows" in body
        unchanged = {"If-None-Match": tag}
        assert get(f"/api/v1/catalog/{data.id}", accept, **unchanged)[0] == 304
    status, told, body, _ = get(f"/api/v1/catalog/{data.id}", "image/png")
    assert (status, told) == (422, "application/problem+json")
    status, _, body, _ = get("/api/v1/catalog?limit=1", "text/turtle")
    assert status == 200
    assert b"hydra:next" in body
