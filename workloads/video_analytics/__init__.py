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
        "picture": "there is no picture of this camera yet",
        "permit": "there is no such permit",
        "rule": "there is no such rule",
        "track": "there is no such track",
    },
)
declare(PRODUCT)
