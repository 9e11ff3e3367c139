"""The pages of events and the timeline in a real browser: axe finds nothing, nor does the CSP."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import numpy as np
import pytest

from foundation.surface.web import build_assets
from tests.contract.video.test_events_api import NOW, Product, _cover, _pass, product
from tests.functional.web.conftest import Visitor, browser, visit
from tests.harness.serving import served
from workloads.video_analytics.events.model import CLIP

__all__ = ["browser", "product", "visit"]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w", format="mp4") as out:
        stream = out.add_stream("libvpx-vp9", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 90, "yuv420p"  # type: ignore[attr-defined]
        for n in range(10):
            image = np.full((90, 160, 3), 20 * n, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))  # type: ignore[attr-defined]
        out.mux(stream.encode(None))  # type: ignore[attr-defined]
    return path


@pytest.mark.rehearsal
def test_every_page_is_accessible_and_clips_play(
    product: Product,
    visit: Callable[..., Visitor],
    clip: Path,
) -> None:
    if not build_assets.is_built():
        pytest.skip("the assets are not built: run foundation/surface/web/build_assets.py")
    event_id = product.report()
    ref = product.happenings.files.put(clip, CLIP)
    product.happenings.events.attach(product.fence, event_id, ref)
    _pass(product)
    for n in range(12):
        data: dict[str, object] = {"cover": 0.05 * 1.08**n, "frames": 30, "threshold": 0.1}
        if n == 5:
            data["cover"] = None
        if n == 11:
            data |= {"forecast": 0.2, "forecast_low": 0.1, "forecast_high": 0.3}
        day = (datetime.now(UTC) - timedelta(days=12 - n)).date()  # noqa: TID251 - the app's own
        product.happenings.timeline.keep_cover(
            product.fence, product.cameras["water"], product.rules["water"], day, _cover(data)
        )
    product.page("wang", f"/events/{event_id}/incident", form={})
    product.page("wang", f"/events/{event_id}/export", form={"reason": "case"})
    since = (NOW - timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M")
    until = (NOW + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M")
    with served(product.client.application) as url:  # type: ignore[arg-type]
        visitor = visit(url)
        visitor.page.context.add_cookies(
            [{"name": "borough_video_session", "value": "wang", "url": url}]
        )
        visitor.go(f"/search?since={since}&until={until}")
        track = visitor.page.get_attribute(".bv-tile__picture", "href")
        visitor.check_accessible()
        for path in (
            "/events", f"/events/{event_id}", "/events/rates", "/incidents", "/exports",
            "/receivers", "/water", "/nights", str(track), "/water?lang=zh",
        ):  # fmt: skip
            visitor.go(path)
            assert visitor.status is not None
            assert visitor.status.status == 200, path
            visitor.check_accessible()
        visitor.go(f"/events/{event_id}")
        duration = visitor.page.evaluate(
            "async () => { const v = document.querySelector('video'); v.preload = 'auto';"
            " v.load(); await new Promise((y, n) => { v.onloadeddata = y; v.onerror = n; });"
            " return v.duration; }"
        )
        assert duration > 0.5
