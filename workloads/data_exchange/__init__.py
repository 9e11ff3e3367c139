"""Borough Exchange: departments publish data, agree on its use, use it, and prove what was done."""

from foundation.products import Product, declare

PRODUCT = Product(
    __name__,
    title="Borough Exchange",
    program="borough-exchange",
    cookie="borough_exchange_session",
    # Whole sentences, because pages have them translated.
    unknown={
        "application": "there is no such application",
        "agency": "there is no such agency",
        "key": "there is no such key",
        "lottery": "there is no such lottery",
    },
)
declare(PRODUCT)
