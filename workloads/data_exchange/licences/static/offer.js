// The QR code of a holder's link, drawn in the officer's browser.
import { drawCode } from "./shared.js";

for (const place of document.querySelectorAll("[data-code]")) {
  drawCode(place, place.dataset.code, place.dataset.label);
}
