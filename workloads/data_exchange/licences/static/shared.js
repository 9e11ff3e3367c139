// What the pages of licences share: texts, things kept in this browser, QR codes, parts.

export const texts = JSON.parse(document.getElementById("texts").dataset.json);
export const config = JSON.parse(document.getElementById("config").dataset.json);
export const t = (text) => texts[text] ?? text;
export const language = document.documentElement.lang.startsWith("zh") ? "zh" : "en";
export const $ = (id) => document.getElementById(id);

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export const local = (items, key) => {
  const found = (items ?? []).find((one) => one.locale === language) ?? (items ?? [])[0];
  return found?.[key] ?? "";
};

export const day = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 10);
export const stamp = (seconds) => `${new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC`;
export const shownValue = (value) => (typeof value === "string" ? value : JSON.stringify(value));

export function say(text, { bad = false } = {}) {
  const place = $("said");
  place.className = `usa-alert usa-alert--slim usa-alert--${bad ? "error" : "success"}`;
  place.replaceChildren(element("div", { class: "usa-alert__body" }, element("p", { class: "usa-alert__text" }, text)));
  place.hidden = !text;
}

// --- IndexedDB: private keys are kept as handles that cannot be exported, never as text

const opened = new Promise((resolve, reject) => {
  const asking = indexedDB.open("borough-licences", 1);
  asking.onupgradeneeded = () => {
    for (const name of ["licences", "pending", "kept"]) asking.result.createObjectStore(name);
  };
  asking.onsuccess = () => resolve(asking.result);
  asking.onerror = () => reject(asking.error);
});

async function within(store, mode, work) {
  const database = await opened;
  return new Promise((resolve, reject) => {
    const doing = database.transaction(store, mode);
    const asked = work(doing.objectStore(store));
    doing.oncomplete = () => resolve(asked.result);
    doing.onerror = () => reject(doing.error);
  });
}

export const kept = {
  get: (store, key) => within(store, "readonly", (one) => one.get(key)),
  all: (store) => within(store, "readonly", (one) => one.getAll()),
  put: (store, key, value) => within(store, "readwrite", (one) => one.put(value, key)),
  remove: (store, key) => within(store, "readwrite", (one) => one.delete(key)),
};

// --- QR codes, made here: what is shown passes no server

const SINGLE = 1200;
const CHUNK = 800;

export function partsOf(text, mark) {
  if (text.length <= SINGLE) return [text];
  const count = Math.ceil(text.length / CHUNK);
  return Array.from({ length: count }, (_, n) => `BL1/${n + 1}/${count}/${mark}/${text.slice(n * CHUNK, (n + 1) * CHUNK)}`);
}

// Gathers parts in any order; answers the whole text when all are there.
export class Gathering {
  constructor() { this.parts = new Map(); this.mark = ""; this.count = 0; }

  add(text) {
    const found = /^BL1\/(\d{1,3})\/(\d{1,3})\/([A-Za-z0-9_-]{1,16})\/([\x20-\x7e]*)$/.exec(text.trim());
    if (!found) return text.trim();
    const [, number, count, mark, chunk] = found;
    if (mark !== this.mark || Number(count) !== this.count) {
      this.parts.clear();
      this.mark = mark;
      this.count = Number(count);
    }
    this.parts.set(Number(number), chunk);
    const all = Array.from({ length: this.count }, (_, n) => this.parts.get(n + 1));
    return all.every((one) => one !== undefined) ? all.join("") : "";
  }
}

export async function drawCode(place, text, label) {
  const { qrcode } = await import(config.qr);
  const code = qrcode(0, "L");
  code.addData(text, "Byte");
  code.make();
  const size = code.getModuleCount();
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", `0 0 ${size + 8} ${size + 8}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  svg.setAttribute("class", "li-code");
  let path = "";
  for (let row = 0; row < size; row += 1) {
    for (let column = 0; column < size; column += 1) {
      if (code.isDark(row, column)) path += `M${column + 4} ${row + 4}h1v1h-1z`;
    }
  }
  const ground = document.createElementNS(space, "path");
  ground.setAttribute("d", `M0 0h${size + 8}v${size + 8}H0z`);
  ground.setAttribute("fill", "#fff");
  const dots = document.createElementNS(space, "path");
  dots.setAttribute("d", path);
  svg.append(ground, dots);
  place.replaceChildren(svg);
}

// One code after another, with buttons; the number is said.
export async function showCodes(place, text, label) {
  const mark = Math.random().toString(36).slice(2, 10);
  const parts = partsOf(text, mark);
  let at = 0;
  const picture = element("div");
  const count = element("p", { role: "status" });
  const draw = async () => {
    count.textContent = parts.length > 1 ? `${t("Part")} ${at + 1} / ${parts.length}` : "";
    await drawCode(picture, parts[at], label);
  };
  place.replaceChildren(picture, count);
  if (parts.length > 1) {
    const next = element("button", { type: "button", class: "usa-button usa-button--outline" }, t("Next part"));
    next.addEventListener("click", () => { at = (at + 1) % parts.length; draw(); });
    place.append(next);
  }
  await draw();
}

export async function copyable(button, text) {
  button.hidden = !navigator.clipboard;
  button.onclick = async () => { await navigator.clipboard.writeText(text()); say(t("Copied")); };
}

// --- requests: what a verifier asks, as a link that opens the wallet

export function requestLink(asked) {
  const told = btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify(asked))));
  return `${location.origin}/licence/wallet#request=${told.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}

export function readRequest(text) {
  const found = /(?:#request=)?([A-Za-z0-9_-]+)$/.exec(text.trim());
  try {
    const bytes = Uint8Array.from(atob(found[1].replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
    const asked = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    const fine = [asked.aud, asked.nonce, asked.name].every((one) => typeof one === "string" && one.length <= 500)
      && asked.aud && asked.nonce;
    return fine ? { ask: [], vct: "", ...asked } : null;
  } catch {
    return null;
  }
}

export function offLine() {
  if ("serviceWorker" in navigator) {
    navigator.serviceWorker.register("/licence/sw.js").then(async () => {
      const ready = await navigator.serviceWorker.ready;
      ready.active?.postMessage({ page: location.pathname, language });
    }).catch(() => {});
  }
}
