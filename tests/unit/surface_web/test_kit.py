"""The kit in an application without features: security, languages, errors, navigation."""

import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from control_plane.settings import PROGRAM, Settings
from foundation.kernel.errors import Invalid
from foundation.kernel.text import Text
from foundation.serving.face import theme
from foundation.surface.web import i18n, messages, states
from foundation.surface.web.install import Theme
from foundation.surface.web.pages import safe_target
from tests.functional.web.gallery.app import create

WEB = Path(messages.__file__).parent
TEMPLATES = [
    path
    for root in ("foundation", "control_plane", "marketplace", "workloads")
    for path in sorted((messages.ROOT / root).rglob("*.html"))
]


@pytest.fixture
def app() -> Flask:
    return create()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    client = app.test_client()
    client.set_cookie("borough_session", "gallery")
    return client


def test_pages_allow_no_inline_style_or_script(client: FlaskClient) -> None:
    answer = client.get("/")
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: str(p.relative_to(messages.ROOT)))
def test_templates_hold_no_style_no_script_and_no_handler(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\sstyle\s*=", text)
    assert "<style" not in text
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)
    assert not re.search(r"\son[a-z]+\s*=", text)
    assert "|safe" not in text.replace(" ", "")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: str(p.relative_to(messages.ROOT)))
def test_every_form_that_changes_something_carries_a_token(path: Path) -> None:
    for form in re.findall(r"<form[^>]*method=\"post\".*?</form>", path.read_text(), re.DOTALL):
        # Signing in has no session yet; the guard checks where the request comes from.
        assert "csrf" in form or path.name == "sign_in.html"


def test_a_form_without_its_token_is_refused(client: FlaskClient) -> None:
    assert client.post("/", data={}).status_code == 403
    assert client.post("/", data={"csrf_token": "other"}).status_code == 403
    done = client.post("/", data={"csrf_token": "gallery"})
    assert (done.status_code, done.headers["Location"]) == (303, "/?notice=done")


def test_a_token_in_the_header_is_taken_and_htmx_is_sent_on(client: FlaskClient) -> None:
    done = client.post("/", headers={"X-CSRF-Token": "gallery", "HX-Request": "true"})
    assert (done.status_code, done.headers["HX-Redirect"]) == (204, "/?notice=done")


def test_a_form_from_another_site_is_refused(client: FlaskClient) -> None:
    answer = client.post(
        "/", data={"csrf_token": "gallery"}, headers={"Origin": "https://elsewhere.example"}
    )
    assert answer.status_code == 403


def test_a_stranger_is_sent_to_sign_in_and_comes_back(app: Flask) -> None:
    answer = app.test_client().get("/?period=2026-11")
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/sign-in?next=/?period%3D2026-11"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example",
        "///evil.example",
        "////evil.example/",
        "/\\evil.example",
        "/a\r\nSet-Cookie: a=b",
        "",
        None,
        "javascript:alert(1)",
    ],
)
def test_nobody_is_sent_elsewhere_after_signing_in(target: str | None) -> None:
    assert safe_target(target, "/") == "/"


def test_targets_on_the_platform_are_kept() -> None:
    assert safe_target("/orders/ord_1?tab=price", "/") == "/orders/ord_1?tab=price"


def test_error_pages_say_what_happened_and_tell_nothing_of_the_inside(client: FlaskClient) -> None:
    missing = client.get("/missing")
    assert missing.status_code == 404
    assert "There is nothing here" in missing.text
    assert client.get("/no-such-address").status_code == 404
    broken = client.get("/broken")
    assert broken.status_code == 500
    assert "secret detail" not in broken.text
    assert broken.headers["X-Request-ID"] in broken.text


def test_a_stranger_finds_the_way_in_on_every_page(app: Flask, client: FlaskClient) -> None:
    assert 'href="/sign-in"' in app.test_client().get("/no-such-address").text
    assert 'href="/sign-in"' not in client.get("/no-such-address").text


def test_htmx_gets_only_the_part_of_an_error(client: FlaskClient) -> None:
    answer = client.get("/missing", headers={"HX-Request": "true"})
    assert answer.status_code == 404
    assert "<html" not in answer.text
    assert 'role="alert"' in answer.text


def test_the_language_is_asked_for_remembered_and_guessed(app: Flask) -> None:
    client = app.test_client()
    client.set_cookie("borough_session", "gallery")
    assert 'lang="en"' in client.get("/").text
    assert 'lang="zh-Hans"' in client.get("/?lang=zh").text
    assert 'lang="zh-Hans"' in client.get("/").text
    assert 'lang="en"' in client.get("/?lang=en").text
    other = app.test_client()
    other.set_cookie("borough_session", "gallery")
    assert 'lang="zh-Hans"' in other.get("/", headers={"Accept-Language": "zh-CN,zh;q=0.9"}).text
    assert 'lang="en"' in other.get("/?lang=xx").text


def test_the_notice_of_what_was_done_is_one_of_ours(client: FlaskClient) -> None:
    assert "Signed out." in client.get("/?notice=done").text
    assert "&lt;b&gt;" not in client.get("/?notice=<b>").text


def test_navigation_shows_what_the_visitor_may_use(client: FlaskClient) -> None:
    text = client.get("/").text
    assert 'aria-current="page">Home</a>' in text
    assert ">Audit</a>" in text
    assert ">Nothing</a>" not in text


def test_static_files_are_named_by_their_content(client: FlaskClient) -> None:
    text = client.get("/").text
    address = re.search(r'href="(/static/borough\.css\?v=\w+)"', text)
    assert address
    with client.get(address[1]) as answer:
        assert "immutable" in answer.headers["Cache-Control"]
    assert client.get("/theme.css").mimetype == "text/css"


def test_a_city_gives_its_name_and_colour() -> None:
    settings = Settings(city_name="Harbour cloud", city_name_zh="港城云", city_accent="#204080")
    client = create(theme(settings, PROGRAM)).test_client()
    client.set_cookie("borough_session", "gallery")
    assert "<span>Harbour cloud</span>" in client.get("/").text
    assert "<span>港城云</span>" in client.get("/?lang=zh").text
    assert "--accent: #204080;" in client.get("/theme.css").text
    # One name stands for both, and what is not set stays as it is.
    assert theme(Settings(city_name_zh="港城云"), PROGRAM).city == Text("港城云", "港城云")
    assert theme(Settings(), PROGRAM) == Theme()


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"city_accent": "blue"}, {"BOROUGH_CITY_ACCENT"}),
        ({"city_accent": "#ffee00"}, {"BOROUGH_CITY_ACCENT"}),
        ({"city_accent": "#204080; } body { color: red"}, {"BOROUGH_CITY_ACCENT"}),
        (
            {"city_name": "x" * 61, "city_name_zh": "市" * 61, "city_accent": "#12345"},
            {"BOROUGH_CITY_NAME", "BOROUGH_CITY_NAME_ZH", "BOROUGH_CITY_ACCENT"},
        ),
    ],
)
def test_a_face_that_cannot_be_read_is_refused(given: dict[str, str], wrong: set[str]) -> None:
    with pytest.raises(Invalid) as error:
        theme(Settings(**given), PROGRAM)  # type: ignore[arg-type]
    assert {problem.field for problem in error.value.problems} == wrong


def test_every_icon_is_in_the_sprite() -> None:
    sprite = WEB / "static/vendor/img/sprite.svg"
    if not sprite.exists():
        pytest.skip("the assets are not built: run foundation/surface/web/build_assets.py")
    known = set(re.findall(r'<symbol[^>]*\bid="([^"]+)"', sprite.read_text()))
    used = {look.icon for look in states.LOOKS.values()}
    for path in TEMPLATES:
        used |= set(re.findall(r'icon\("([a-z_]+)"', path.read_text()))
    assert used <= known


def test_every_tone_has_a_style() -> None:
    css = (WEB / "static/borough.css").read_text()
    assert all(f".bo-state--{look.tone} " in css for look in states.LOOKS.values())


@pytest.mark.parametrize(
    "package",
    ["foundation", "control_plane", "workloads.video_analytics", "workloads.data_exchange"],
)
def test_nothing_is_untranslated(package: str) -> None:
    assert messages.untranslated(package, "zh") == []


def test_translations_keep_the_placeholders() -> None:
    placeholder = re.compile(r"%\(\w+\)s")
    for message in i18n.catalogue("zh"):
        ids = message.id if isinstance(message.id, tuple) else (message.id,)
        for said in message.string if isinstance(message.string, tuple) else (message.string,):
            assert set(placeholder.findall(said)) <= set(placeholder.findall(ids[-1])), message.id


def test_messages_of_services_are_said_in_chinese_with_their_values(app: Flask) -> None:
    with app.test_request_context("/?lang=zh"):
        assert i18n.say("is required") == "必填"
        said = i18n.say("must be at most 8")
        assert "8" in said
        assert "must" not in said
        assert i18n.say("nobody translated this") == "nobody translated this"
    with app.test_request_context("/?lang=en"):
        assert i18n.say("must be at most 8") == "must be at most 8"
