"""Borough Video: cameras of any vendor, watched for what a city cares about."""

from foundation.products import Product, declare

PRODUCT = Product(
    __name__,
    title="Borough Video",
    program="borough-video",
    cookie="borough_video_session",
    # Whole sentences, because pages have them translated.
    unknown={
        "camera": "there is no such camera",
        "department": "there is no such department",
        "event": "there is no such event",
        "rule": "there is no such rule",
        "watchlist": "there is no such watch list",
        "watchlist entry": "there is no such entry on the watch list",
    },
)
declare(PRODUCT)
