// The holder's side: keys are made here, cannot be exported, and are never sent.
import { contents, disclosed, jws, parse, present, signed } from "./sdjwt.js";
import {
  $, copyable, day, element, kept, local, offLine, readRequest, say, shownValue, showCodes, t,
} from "./shared.js";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256" };
let asked = null;

async function post(path, body) {
  const answer = await fetch(`/api/v1/licence-offers/${path}`, {
    method: "POST", credentials: "omit", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
  const told = await answer.json();
  if (!answer.ok) throw new Error((told.problems ?? told.errors ?? []).map((one) => `${one.field} ${t(one.message)}`).join("; ") || t(told.detail ?? told.title));
  return told;
}

async function publicOf(key) {
  const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", key.publicKey);
  return { kty, crv, x, y };
}

async function keysFor(token, count) {
  // Kept before they are used: if the answer is lost, the same keys get the same licence again.
  const there = await kept.get("pending", token);
  if (there?.length === count) return there;
  const made = [];
  for (let n = 0; n < count; n += 1) made.push(await crypto.subtle.generateKey(ALGORITHM, false, ["sign", "verify"]));
  await kept.put("pending", token, made);
  return made;
}

async function claim(token, pin) {
  const offer = await post("open", { token, pin });
  const keys = await keysFor(token, offer.copies);
  const told = { aud: offer.issuer, nonce: offer.nonce, iat: Math.floor(Date.now() / 1000) };
  const proofs = [];
  for (const key of keys) {
    proofs.push(await signed({ alg: "ES256", typ: "openid4vci-proof+jwt", jwk: await publicOf(key) }, told, key.privateKey));
  }
  const handed = await post("claim", { token, pin, proofs });
  const copies = handed.credentials.map((text, n) => ({ text, key: keys[n], used: 0 }));
  for (const one of copies) {
    const taken = jws(parse(one.text).signed).payload;
    const own = await publicOf(one.key);
    if (taken.cnf.jwk.x !== own.x || taken.cnf.jwk.y !== own.y) throw new Error(t("the licence is not bound to your key"));
  }
  const id = crypto.randomUUID();
  await kept.put("licences", id, { id, vct: handed.vct, metadata: handed.metadata, issuer: offer.issuer, copies });
  await kept.remove("pending", token);
}

function labelled(about, name) {
  const found = (about.claims ?? []).find((one) => one.path.length === 1 && one.path[0] === name);
  return local(found?.display, "label") || name;
}

const TECHNICAL = ["iss", "iat", "nbf", "exp", "vct", "vct#integrity", "cnf", "status"];

async function card(licence) {
  const about = JSON.parse(licence.metadata);
  const parts = parse(licence.copies[0].text);
  const { payload } = jws(parts.signed);
  const claims = await disclosed(payload, parts.disclosures);
  const hidden = new Set(parts.disclosures.map((one) => contents(one)).filter((one) => one.length === 3).map((one) => one[1]));
  const title = local(about.display, "name") || about.name;
  const form = element("form", { class: "bo-form" });
  const group = element("fieldset", { class: "usa-fieldset" }, element("legend", { class: "usa-legend" }, t("What is shown")));
  for (const [name, value] of Object.entries(claims)) {
    if (TECHNICAL.includes(name)) continue;
    const id = `${licence.id}-${name}`;
    const box = element("input", { class: "usa-checkbox__input", type: "checkbox", id, value: name });
    box.checked = !hidden.has(name) || (asked?.ask ?? []).includes(name);
    box.disabled = !hidden.has(name);
    const label = element("label", { class: "usa-checkbox__label", for: id }, `${labelled(about, name)}: ${shownValue(value)}`);
    if (!hidden.has(name)) label.append(` (${t("always shown")})`);
    group.append(element("div", { class: "usa-checkbox" }, box, label));
  }
  const button = element("button", { class: "usa-button", type: "submit" }, t("Show it"));
  const wrong = asked?.vct && asked.vct !== licence.vct;
  button.disabled = !asked || Boolean(wrong);
  form.append(group, button);
  if (wrong) form.append(element("p", {}, t("Another type was asked for.")));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const names = [...form.querySelectorAll("input:checked")].map((one) => one.value);
    await show(licence, names);
  });
  const remove = element("button", { class: "usa-button usa-button--unstyled", type: "button" }, t("Remove from this browser"));
  remove.addEventListener("click", async () => {
    if (!confirm(t("The key is lost with it. Remove it?"))) return;
    await kept.remove("licences", licence.id);
    await draw();
  });
  const ends = payload.exp ? `${t("Valid until")} ${day(payload.exp)}` : t("Valid without end");
  const copies = licence.copies.length > 1 ? ` · ${t("Copies not shown yet")}: ${licence.copies.filter((one) => !one.used).length}` : "";
  return element("article", { class: "bo-card li-card" }, element("h3", {}, title), element("p", {}, ends + copies), form, remove);
}

async function show(licence, names) {
  // The copy that was shown least: two verifiers cannot tell that they saw the same holder.
  const copy = licence.copies.reduce((best, one) => (one.used < best.used ? one : best));
  const text = await present(copy.text, names, copy.key.privateKey, asked);
  copy.used += 1;
  await kept.put("licences", licence.id, licence);
  $("presentation").value = text;
  $("shown").hidden = false;
  await showCodes($("codes"), text, t("QR code of what is shown"));
  say(t("This is for one verifier, once. It counts for five minutes."));
  asked = null;
  $("request").value = "";
  await draw();
  $("shown").focus();
}

async function draw() {
  const all = await kept.all("licences");
  const cards = [];
  for (const one of all) cards.push(await card(one));
  $("licences").replaceChildren(...cards);
  $("none").hidden = Boolean(all.length);
  $("asks").textContent = asked ? `${t("Asked by")}: ${asked.name} (${asked.aud})` : t("Nobody asks at the moment.");
}

function fromAddress() {
  const told = new URLSearchParams(location.hash.slice(1));
  if (told.get("offer")) $("token").value = told.get("offer");
  if (told.get("request")) { $("request").value = location.href; read(); }
  // What is in the address does not stay in the history.
  if (location.hash) history.replaceState(null, "", location.pathname);
}

function read() {
  asked = readRequest($("request").value);
  if ($("request").value && !asked) say(t("This is no request of a verifier."), { bad: true });
  else say("");
}

$("take").addEventListener("submit", async (event) => {
  event.preventDefault();
  const token = $("token").value.trim().replace(/^.*#offer=/, "");
  try {
    await claim(token, $("pin").value.trim());
    $("take").reset();
    say(t("The licence is in this browser now."));
  } catch (error) {
    say(navigator.onLine ? error.message : t("This needs the network."), { bad: true });
  }
  await draw();
});
$("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  read();
  await draw();
});
window.addEventListener("hashchange", () => { fromAddress(); draw(); });
copyable($("copy"), () => $("presentation").value);
if (!window.isSecureContext || !crypto.subtle) say(t("This page needs https and a browser of our days."), { bad: true });
fromAddress();
draw();
offLine();
