"""The pages of Borough Exchange, and the browser test of each one's main task."""

from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.entrypoints.app import create_app
from workloads.data_exchange.entrypoints.serve import parts

_DIRECTORY = "directory/test_directory_browser.py"
_PUBLISHED = f"{_DIRECTORY}::test_a_data_set_is_published_by_two_people_and_found"
_SOURCE = f"{_DIRECTORY}::test_a_source_is_mounted_and_taken_down"
_REQUEST = "test_agreements_browser.py::test_from_a_request_to_an_agreement"
_CHECK = "test_checks_browser.py::test_from_a_form_to_a_verdict_and_an_objection"
_LICENCE = "test_licences_browser.py::test_from_issue_to_off_line_verification"
_LOTTERY = "test_checks_browser.py::test_a_lottery_is_drafted_and_somebody_applies"
_DATASPACE = "test_handing_browser.py::test_a_negotiation_is_read_and_ended"
_ELSEWHERE = "test_handing_browser.py::test_an_offer_of_another_participant_is_found_and_asked_for"
_EVENTS = "test_handing_browser.py::test_a_dead_letter_is_delivered_again_and_a_subscription_ended"
_TRANSFERS = "test_handing_browser.py::test_a_batch_is_followed_to_its_manifest_and_taken_back"
_RECEIPTS = "test_receipts_surfaces.py::test_a_receipt_is_found_read_and_its_bundle_verified"
_BOOKS = "test_books_browser.py"
#: By the rule of a page in the map of addresses: in which test somebody does what it is for.
PAGES: dict[str, str] = {
    "/": f"{_BOOKS}::test_an_agency_is_entered_from_the_first_page",
    "/account": f"{_BOOKS}::test_a_password_is_changed",
    "/agencies": f"{_BOOKS}::test_an_agency_is_entered_from_the_first_page",
    "/agreements": f"{_BOOKS}::test_who_finds_data_gets_to_a_request",
    "/agreements/<id>": _REQUEST,
    "/audit": f"{_BOOKS}::test_what_was_done_is_read_and_verified",
    "/calendar": "test_agreements_browser.py::test_a_calendar_is_entered",
    "/checks": f"{_BOOKS}::test_a_check_is_found_again",
    "/checks/<id>": _CHECK,
    "/checks/new": _CHECK,
    "/consent": _CHECK,
    "/corrections": _CHECK,
    "/corrections/<id>": _CHECK,
    "/dataspace": _DATASPACE,
    "/dataspace/<id>": _DATASPACE,
    "/dataspace/datasets/<id>": _ELSEWHERE,
    "/dataspace/participants": _ELSEWHERE,
    "/dataspace/participants/<agency_id>": _ELSEWHERE,
    "/directory": _PUBLISHED,
    "/directory/<entry_id>/edit": _PUBLISHED,
    "/directory/<id>": _PUBLISHED,
    "/directory/mine": _PUBLISHED,
    "/directory/new": _PUBLISHED,
    "/directory/reviews": _PUBLISHED,
    "/directory/sources": _SOURCE,
    "/directory/sources/<id>": _SOURCE,
    "/draws/<lottery_id>": _LOTTERY,
    "/events": _EVENTS,
    "/events/<id>": _EVENTS,
    "/flows": "test_flows_surfaces.py::test_the_map_and_its_table",
    "/keys": "test_agreements_browser.py::test_keys_are_made_and_revoked",
    "/ledger": _CHECK,
    "/ledger/codes": _CHECK,
    "/licence-types": _LICENCE,
    "/licence-types/<type_id>": _LICENCE,
    "/licence-types/<type_id>/issue": _LICENCE,
    "/licence/verifier": _LICENCE,
    "/licence/wallet": _LICENCE,
    "/licences": _LICENCE,
    "/licences/<licence_id>": _LICENCE,
    "/lotteries": _LOTTERY,
    "/lotteries/<lottery_id>": _LOTTERY,
    "/lotteries/new": _LOTTERY,
    "/receipts": _RECEIPTS,
    "/receipts/<id>": _RECEIPTS,
    "/requests": _REQUEST,
    "/requests/<id>": _REQUEST,
    "/requests/<id>/offer": _REQUEST,
    "/requests/new": _REQUEST,
    "/scenarios": _CHECK,
    "/sign-in": f"{_BOOKS}::test_a_password_is_changed",
    "/transfers": _TRANSFERS,
    "/transfers/<id>": _TRANSFERS,
    "/operations": _TRANSFERS,
    "/operations/<id>": _TRANSFERS,
}
#: GET and no page: files, protocols, parts of pages, streams.
_NONE = ("/api/", "/static", "/dsp/", "/.well-known", "/licence/s", "/vct/", "/status-lists/",
         "/healthz", "/readyz", "/metrics", "/theme", "/audit/verification")  # fmt: skip


def rules(exchange: Exchange) -> set[str]:
    """The addresses of all pages."""
    app = create_app(parts(exchange), exchange.settings)
    return {
        rule.rule
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ())
        and not rule.rule.startswith(_NONE)
        and not rule.rule.endswith("/stream")
    }
