"""Pages of access: signing in and out, one's own account, the audit log."""

from flask import Response, current_app, make_response, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from werkzeug.utils import redirect

from foundation.access import policy
from foundation.access.model import AuditQuery, Session, SignInBlocked
from foundation.access.service import AuditLog, Gate
from foundation.kernel.errors import Collector, Invalid, Problem, Unauthenticated
from foundation.kernel.paging import PageRequest
from foundation.surface import auth
from foundation.surface.auth import (
    current_actor,
    forget_identity,
    public,
    requires,
    session_cookie,
    signed_in,
)
from foundation.surface.registry import use
from foundation.surface.web.forms import Field, Form
from foundation.surface.web.i18n import N_, local
from foundation.surface.web.pages import Crumb, Pages, go, safe_target, show

pages = Pages("access", __name__)
pages.navigation(N_("Audit"), "audit", action="audit.view", group="platform", order=90)
pages.notices["signed_out"] = N_("You are signed out.")
pages.notices["password"] = N_("Your password was changed; your other sessions ended.")

#: How an audited action ended.
OUTCOMES = {"done": "ok", "refused": "denied", "failed": "failed"}


# --- signing in


def _sign_in_form(problems: tuple[Problem, ...] = ()) -> Form:
    fields = [
        Field(
            "login",
            gettext("Name"),
            value=request.form.get("login", ""),
            required=True,
            autocomplete="username",
        ),
        Field(
            "password",
            gettext("Password"),
            "password",
            required=True,
            autocomplete="current-password",
        ),
    ]
    return Form.of(fields, problems)


@pages.get("/sign-in")
@public
def sign_in() -> ResponseReturnValue:
    """The form to sign in with; who is signed in goes on."""
    if auth.identity() is not None:
        return redirect(safe_target(request.args.get("next"), "/"), 303)
    return show("access/sign_in.html", form=_sign_in_form())


@pages.post("/sign-in")
@public
def begin_session() -> ResponseReturnValue:
    """Begin a session, or say what is wrong."""
    try:
        session, secret = _begin()
    except Invalid as error:
        return show("access/sign_in.html", 422, form=_sign_in_form(error.problems))
    except SignInBlocked as error:
        text = gettext("Too many attempts. Wait %(n)s minutes.", n=int(error.retry_after // 60) + 1)
        blocked = make_response(
            show("access/sign_in.html", 429, form=_sign_in_form(), failure=text)
        )
        blocked.headers["Retry-After"] = str(int(error.retry_after) + 1)
        return blocked
    except Unauthenticated:
        text = gettext("The name or the password is wrong.")
        return show("access/sign_in.html", 401, form=_sign_in_form(), failure=text)
    forget_identity()
    answer = redirect(safe_target(request.args.get("next"), "/"), 303)
    answer.set_cookie(
        session_cookie(),
        secret,
        # Relative: the platform's clock may be shifted, the browser's is not.
        max_age=int((session.expires_at - session.created_at).total_seconds()),
        httponly=True,
        samesite="Lax",
        secure=_secure(),
        path="/",
    )
    return answer


def _begin() -> tuple[Session, str]:
    login, password = request.form.get("login", ""), request.form.get("password", "")
    found = Collector()
    found.check(login.strip(), "login", "is required", "required")
    found.check(password, "password", "is required", "required")
    found.finish()
    return use(Gate).sign_in(
        login,
        password,
        address=request.remote_addr or "",
        replaces=request.cookies.get(session_cookie()),
    )


def _secure() -> bool:
    return bool(current_app.config.get("SESSION_COOKIE_SECURE")) or request.is_secure


@pages.post("/sign-out")
@signed_in
def sign_out() -> ResponseReturnValue:
    """End the session."""
    use(Gate).sign_out(request.cookies.get(session_cookie(), ""))
    forget_identity()
    answer: Response = make_response(go("access_pages.sign_in", notice="signed_out"))
    answer.delete_cookie(
        session_cookie(), path="/", samesite="Lax", secure=_secure(), httponly=True
    )
    return answer


# --- one's own account


@pages.get("/account")
@signed_in
def account() -> ResponseReturnValue:
    """What one may do, one's tokens, and another password."""
    return _account(Form.of(_password_fields()))


def _account(form: Form, status: int = 200) -> ResponseReturnValue:
    actor = current_actor()
    roles = policy.table().roles
    grants = [
        (local(roles.get(grant.role, {}) or grant.role), grant.path) for grant in actor.grants
    ]
    tokens = use(Gate).tokens(actor, PageRequest())
    return show(
        "access/account.html",
        status,
        form=form,
        grants=grants,
        tokens=tokens.items,
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Account"))],
    )


def _password_fields() -> list[Field]:
    return [
        Field(
            "present",
            gettext("Present password"),
            "password",
            required=True,
            autocomplete="current-password",
        ),
        Field(
            "password",
            gettext("New password"),
            "password",
            required=True,
            autocomplete="new-password",
            help=gettext("At least 12 characters; longer is better than stranger."),
        ),
    ]


@pages.post("/account/password")
@signed_in
def change_password() -> ResponseReturnValue:
    """Change one's own password."""
    who = auth.identity()
    try:
        use(Gate).change_password(
            current_actor(),
            present=request.form.get("present", ""),
            new=request.form.get("password", ""),
            address=request.remote_addr or "",
            session_id=who.session_id if who else None,
        )
    except Invalid as error:
        return _account(Form.of(_password_fields(), error.problems), 422)
    except Unauthenticated:
        wrong = [Problem("present", "is not your present password")]
        return _account(Form.of(_password_fields(), wrong), 422)
    return go("access_pages.account", notice="password")


# --- the audit log


@pages.get("/audit")
@requires("audit.view")
def audit() -> ResponseReturnValue:
    """Who did what, newest first, and whether the chain holds."""
    query = AuditQuery(
        actor=request.args.get("actor") or None,
        action=request.args.get("action") or None,
        subject=request.args.get("subject") or None,
    )
    entries = use(AuditLog).entries(
        current_actor(), query, PageRequest(request.args.get("cursor"), 50)
    )
    return show(
        "access/audit.html",
        page=entries,
        query=query,
        outcomes=OUTCOMES,
        verification=_verification() if request.args.get("verify") else None,
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Audit"))],
    )


@pages.get("/audit/verification")
@requires("audit.verify")
def verification() -> ResponseReturnValue:
    """Whether every entry follows from the one before it; the whole log is read."""
    return show("access/verification.html", verification=_verification())


def _verification() -> object:
    return use(AuditLog).verify(current_actor())


@pages.app_context_processor
def _names() -> dict[str, object]:
    return {"audit_url": lambda subject: url_for("access_pages.audit", subject=subject)}
