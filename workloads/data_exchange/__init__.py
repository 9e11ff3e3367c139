"""Borough Exchange: departments publish data, agree on its use, use it, and prove what was done."""

from foundation.products import Product, declare

PRODUCT = Product(
    __name__,
    title="Borough Exchange",
    program="borough-exchange",
    cookie="borough_exchange_session",
    # Whole sentences, because pages have them translated.
    unknown={
        "entry": "there is no such entry of the directory",
        "source": "there is no such source",
        "batch": "there is no such batch",
        "upload": "there is no such upload",
        "topic": "there is no such topic",
        "subscription": "there is no such subscription",
        "letter": "there is no such dead letter",
        "application": "there is no such application",
        "agency": "there is no such agency",
        "agreement": "there is no such agreement",
        "key": "there is no such key",
        "request": "there is no such request",
        "checkpoint": "there is no such checkpoint",
        "receipt": "there is no such receipt",
        "lottery": "there is no such lottery",
        "check": "there is no such check",
        "consent": "there is no such code of consent",
        "correction": "there is no such correction",
        "ledger_entry": "there is no such entry of the ledger",
        "ledger": "this code was used, is over or never was",
        "scenario": "there is no such scenario",
        "licence": "there is no such licence",
        "licence_type": "there is no such type of licences",
        "licence_offer": "this offer was used, is over or never was",
        "licence_request": "there is no such request for a licence",
        "status_list": "there is no such status list",
        "participant": "there is no such participant",
        "offer": "there is no such offer",
        "listed": "this participant lists no such data set",
        "process": "there is no such negotiation or transfer",
    },
)
declare(PRODUCT)
