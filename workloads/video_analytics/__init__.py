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
        "delivery": "there is no such delivery",
        "event": "there is no such event",
        "export": "there is no such export",
        "incident": "there is no such incident",
        "linkage": "there is no such linkage rule",
        "permit": "there is no such permit",
        "picture": "there is no picture of this camera yet",
        "receiver": "there is no such receiver",
        "rule": "there is no such rule",
        "track": "there is no such track",
        "watchlist": "there is no such watch list",
        "watchlist entry": "there is no such entry on the watch list",
    },
)
declare(PRODUCT)
