// The verifier's side: works without a network with what it kept of issuers' keys and status lists.
import { able, verify } from "./verify.js";
import {
  $, Gathering, copyable, element, kept, language, local, offLine, requestLink, say, shownValue, showCodes,
  stamp, t,
} from "./shared.js";

const LASTS = 600000;
const gathering = new Gathering();
let trust = null;

const random = () => {
  const bytes = crypto.getRandomValues(new Uint8Array(18));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");
};

async function refresh() {
  try {
    const answer = await fetch("/api/v1/licence-trust", { credentials: "omit", cache: "no-store" });
    if (!answer.ok) throw new Error();
    trust = await answer.json();
    await kept.put("kept", "trust", trust);
    say(t("Keys and status lists are up to date."));
  } catch {
    say(t("There is no network: what was kept is used."), { bad: !trust });
  }
  await draw();
}

async function draw() {
  $("as-of").textContent = trust
    ? `${t("Keys and status lists as of")} ${stamp(Date.parse(trust.as_of) / 1000)} · ${t("Issuers")}: ${trust.issuers.length}`
    : t("Nothing is kept yet: connect once, and fetch.");
  const chosen = $("vct").value;
  const options = [element("option", { value: "" }, t("any type"))];
  for (const issuer of trust?.issuers ?? []) {
    for (const one of issuer.types) {
      const about = JSON.parse(one.metadata);
      options.push(element("option", { value: one.vct }, `${local(about.display, "name") || about.name} · ${issuer.name[language]}`));
    }
  }
  $("vct").replaceChildren(...options);
  $("vct").value = options.some((one) => one.value === chosen) ? chosen : "";
  fields();
}

function fields() {
  const type = (trust?.issuers ?? []).flatMap((one) => one.types).find((one) => one.vct === $("vct").value);
  const boxes = (type ? JSON.parse(type.metadata).claims : []).map((one) => {
    const id = `ask-${one.path[0]}`;
    return element("div", { class: "usa-checkbox" },
      element("input", { class: "usa-checkbox__input", type: "checkbox", id, value: one.path[0] }),
      element("label", { class: "usa-checkbox__label", for: id }, local(one.display, "label") || one.path[0]));
  });
  $("fields").replaceChildren(...boxes);
  $("asked-fields").hidden = !boxes.length;
}

async function begin() {
  let device = await kept.get("kept", "device");
  if (!device) {
    device = random();
    await kept.put("kept", "device", device);
  }
  const name = $("name").value.trim() || t("Verifier");
  await kept.put("kept", "name", name);
  const asked = {
    aud: `${location.origin}/licence/verifier/${device}`, nonce: random(), name, vct: $("vct").value,
    ask: [...$("fields").querySelectorAll("input:checked")].map((one) => one.value),
  };
  await kept.put("kept", "request", { ...asked, until: Date.now() + LASTS });
  const link = requestLink(asked);
  $("request").value = link;
  $("asking").hidden = false;
  $("result").replaceChildren();
  await showCodes($("codes"), link, t("QR code of the request"));
}

async function check(text) {
  const whole = gathering.add(text);
  if (!whole) {
    say(`${t("Part")} ${gathering.parts.size} / ${gathering.count}`);
    return;
  }
  $("presentation").value = "";
  const asked = await kept.get("kept", "request");
  if (!asked || asked.until < Date.now()) {
    say(t("Make a request first: it is used once and lasts ten minutes."), { bad: true });
    return;
  }
  // Used up before it is looked at: nobody tries twice with one nonce.
  await kept.remove("kept", "request");
  $("asking").hidden = true;
  if (!trust) {
    say(t("Nothing is kept yet: connect once, and fetch."), { bad: true });
    return;
  }
  say("");
  const found = await verify(whole, trust, { wanted: { nonce: asked.nonce, aud: asked.aud }, vct: asked.vct });
  result(found, asked);
}

function result(found, asked) {
  const heads = { holds: t("The licence holds."), unsure: t("It may have been revoked: its status cannot be told here."), fails: t("The licence does not hold.") };
  const looks = { holds: "success", unsure: "warning", fails: "error" };
  const body = element("div", { class: "usa-alert__body" }, element("h2", { class: "usa-alert__heading" }, heads[found.verdict]));
  if (found.why) body.append(element("p", { class: "usa-alert__text" }, t(found.why)));
  if (found.asOf) {
    body.append(element("p", { class: "usa-alert__text" }, `${t("Status as of")} ${stamp(found.asOf)}${found.stale ? ` · ${t("older than it should be: fetch again")}` : ""}`));
  }
  const shown = [element("div", { class: `usa-alert usa-alert--${looks[found.verdict]}` }, body)];
  const entries = Object.entries(found.claims);
  if (found.about) {
    const until = found.until ? ` · ${t("Valid until")} ${stamp(found.until)}` : "";
    shown.push(element("p", {}, `${local(found.about.display, "name")} · ${found.issuer[language]}${until}`));
  }
  if (entries.length) {
    const table = element("table", { class: "usa-table" }, element("caption", {}, t("What was shown")));
    const rows = element("tbody");
    for (const [name, value] of entries) {
      const known = (found.about.claims ?? []).find((one) => one.path[0] === name);
      rows.append(element("tr", {}, element("th", { scope: "row" }, local(known?.display, "label") || name), element("td", {}, shownValue(value))));
    }
    table.append(rows);
    shown.push(table);
  }
  const missing = asked.ask.filter((name) => !entries.some(([one]) => one === name));
  if (found.verdict !== "fails" && missing.length) shown.push(element("p", {}, `${t("Asked for and not shown")}: ${missing.join(", ")}`));
  $("result").replaceChildren(...shown);
}

// --- a camera or a picture, where the browser can read QR codes (BarcodeDetector)

async function detector() {
  if (!("BarcodeDetector" in window)) return null;
  const formats = await window.BarcodeDetector.getSupportedFormats().catch(() => []);
  return formats.includes("qr_code") ? new window.BarcodeDetector({ formats: ["qr_code"] }) : null;
}

async function scan(reader) {
  const video = $("video");
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  video.srcObject = stream;
  video.hidden = false;
  await video.play();
  const seen = new Set();
  while (!video.hidden) {
    for (const one of await reader.detect(video).catch(() => [])) {
      if (seen.has(one.rawValue)) continue;
      seen.add(one.rawValue);
      await check(one.rawValue);
      if (!gathering.count || gathering.parts.size === gathering.count) video.hidden = true;
    }
    await new Promise((wait) => { setTimeout(wait, 150); });
  }
  stream.getTracks().forEach((one) => one.stop());
}

async function file(chosen, reader) {
  if (!chosen) return;
  if (!chosen.type.startsWith("image/")) {
    if (chosen.size > 1000000) say(t("The file is too large."), { bad: true });
    else await check(await chosen.text());
    return;
  }
  if (!reader) {
    say(t("This browser cannot read QR codes: paste the text."), { bad: true });
    return;
  }
  const found = await reader.detect(await createImageBitmap(chosen)).catch(() => []);
  if (!found.length) say(t("There is no QR code in this picture."), { bad: true });
  for (const one of found) await check(one.rawValue);
}

$("begin").addEventListener("submit", (event) => { event.preventDefault(); begin(); });
$("check").addEventListener("submit", (event) => { event.preventDefault(); check($("presentation").value); });
$("refresh").addEventListener("click", refresh);
$("vct").addEventListener("change", fields);
copyable($("copy"), () => $("request").value);

(async () => {
  trust = (await kept.get("kept", "trust")) ?? null;
  $("name").value = (await kept.get("kept", "name")) ?? "";
  if (navigator.onLine) await refresh();
  else await draw();
  if (!window.isSecureContext || !(await able())) {
    say(t("This browser cannot verify: it knows no Ed25519 (Chromium 137, Firefox 129, Safari 17 and later do)."), { bad: true });
  }
  const reader = await detector();
  $("no-camera").hidden = Boolean(reader);
  $("camera").hidden = !(reader && navigator.mediaDevices);
  $("camera").addEventListener("click", () => scan(reader).catch(() => say(t("The camera cannot be used."), { bad: true })));
  $("file").addEventListener("change", (event) => file(event.target.files[0], reader));
  document.documentElement.dataset.ready = "yes";
})();
offLine();
