"""Borough Exchange: departments publish data, agree on its use, use it, and prove what was done."""

from foundation.products import Product, declare

PRODUCT = Product(
    __name__,
    title="Borough Exchange",
    program="borough-exchange",
    cookie="borough_exchange_session",
    # Whole sentences, because pages have them translated.
    unknown={
        "agency": "there is no such agency",
        "check": "there is no such check",
        "key": "there is no such key",
        "ledger": "this code was used, is over or never was",
        "scenario": "there is no such scenario",
    },
)
declare(PRODUCT)
