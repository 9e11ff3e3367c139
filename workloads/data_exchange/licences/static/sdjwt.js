// SD-JWT (RFC 9901) in the browser: taken apart, put together, shown in part. Nothing here is trusted
// before it is verified (verify.js). The same rules as proofs/sdjwt.py; one set of attacks tries both.

export class ProofError extends Error {}

const LONGEST = 200000;
const DISCLOSURES_MAX = 500;
const DEPTH = 16;
const PLAIN = ["iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "status"];
const RESERVED = ["_sd", "...", "_sd_alg"];
const utf8 = new TextDecoder("utf-8", { fatal: true });

const no = (why) => { throw new ProofError(why); };
export const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

export function encoded(bytes) {
  let text = "";
  for (const byte of new Uint8Array(bytes)) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

export function decoded(text) {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) no("not base64url");
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = Uint8Array.from(plain, (one) => one.charCodeAt(0));
  // Stray bits in the last character would give one signature many texts.
  if (encoded(bytes) !== text) no("not base64url");
  return bytes;
}

export const bytesOf = (text) => new TextEncoder().encode(text);
export const digest = async (text) => encoded(await crypto.subtle.digest("SHA-256", bytesOf(text)));

// JSON in which no name stands twice: two readers must not read two things.
export function parseJson(bytes, what) {
  let text;
  let found;
  try {
    text = typeof bytes === "string" ? bytes : utf8.decode(bytes);
    found = JSON.parse(text);
  } catch {
    return no(`the ${what} is not JSON`);
  }
  const open = [];
  for (let at = 0; at < text.length; at += 1) {
    const sign = text[at];
    if (sign === '"') {
      const start = at;
      for (at += 1; text[at] !== '"'; at += 1) if (text[at] === "\\") at += 1;
      const top = open.at(-1);
      if (top?.key) {
        const name = JSON.parse(text.slice(start, at + 1));
        if (top.names.has(name)) no(`the ${what} is not JSON`);
        top.names.add(name);
        top.key = false;
      }
    } else if (sign === "{") open.push({ names: new Set(), key: true });
    else if (sign === "[") open.push({ key: false });
    else if (sign === "}" || sign === "]") open.pop();
    else if (sign === "," && open.at(-1)?.names) open.at(-1).key = true;
  }
  return found;
}

export function jws(compact) {
  const parts = compact.split(".");
  if (compact.length > 1000000 || parts.length !== 3) no("not a compact JWS");
  const [header, payload, signature] = parts.map(decoded);
  const found = {
    header: parseJson(header, "header"), payload: parseJson(payload, "payload"), signature,
    signed: `${parts[0]}.${parts[1]}`,
  };
  if (!isObject(found.header)) no("the header is no object");
  if (!isObject(found.payload)) no("the payload is no object");
  return found;
}

export function parse(text) {
  // eslint-disable-next-line no-control-regex
  if (text.length > LONGEST || !/^[\x00-\x7f]*$/.test(text)) no("too long for an SD-JWT, or not ASCII");
  const [signed, ...rest] = text.split("~");
  if (!rest.length || rest.length > DISCLOSURES_MAX) no("not an SD-JWT, or with too many disclosures");
  const binding = rest.pop();
  if (rest.some((one) => !one)) no("an empty disclosure");
  return { signed, disclosures: rest, binding, bound: [signed, ...rest, ""].join("~") };
}

export function contents(disclosure) {
  const found = parseJson(decoded(disclosure), "disclosure");
  if (!Array.isArray(found) || typeof found[0] !== "string") no("a disclosure is malformed");
  return found;
}

// The claims with what was disclosed put in place (7.1), and which claim each disclosure made.
export async function disclosed(payload, disclosures) {
  if ((payload._sd_alg ?? "sha-256") !== "sha-256") no("only sha-256 is accepted");
  const known = new Map();
  for (const one of disclosures) known.set(await digest(one), contents(one));
  if (known.size !== disclosures.length) no("a disclosure stands twice");
  const seen = new Set();
  const unused = new Set(known.keys());

  const take = (one) => {
    if (typeof one !== "string") no("a digest is no text");
    if (seen.has(one)) no("a digest stands twice");
    seen.add(one);
    unused.delete(one);
    return known.get(one);
  };
  const read = (value, depth) => {
    if (depth > DEPTH) no("nested too deeply");
    if (Array.isArray(value)) return array(value, depth);
    return isObject(value) ? object(value, depth) : value;
  };
  const object = (value, depth) => {
    if (Object.hasOwn(value, "...") || (depth && Object.hasOwn(value, "_sd_alg"))) {
      no("a reserved name stands where it must not");
    }
    // Without a prototype: a claim named __proto__ is a claim.
    const kept = Object.create(null);
    for (const [name, one] of Object.entries(value)) {
      if (name !== "_sd" && !(name === "_sd_alg" && !depth)) kept[name] = read(one, depth + 1);
    }
    const digests = Object.hasOwn(value, "_sd") ? value._sd : [];
    if (!Array.isArray(digests)) no("_sd must be an array of digests");
    for (const one of digests) {
      const parts = take(one);
      if (parts === undefined) continue;
      if (parts.length !== 3 || typeof parts[1] !== "string" || RESERVED.includes(parts[1])) {
        no("the disclosure of a claim is malformed");
      }
      if (Object.hasOwn(kept, parts[1])) no("a claim stands twice");
      kept[parts[1]] = read(parts[2], depth + 1);
    }
    return kept;
  };
  const array = (value, depth) => {
    const kept = [];
    for (const one of value) {
      if (!(isObject(one) && Object.keys(one).join() === "...")) {
        kept.push(read(one, depth + 1));
        continue;
      }
      const parts = take(one["..."]);
      if (parts === undefined) continue;
      if (parts.length !== 2) no("the disclosure of an element is malformed");
      kept.push(read(parts[1], depth + 1));
    }
    return kept;
  };
  const found = object(payload, 0);
  if (unused.size) no("a disclosure belongs nowhere");
  for (const name of PLAIN) {
    if (Object.hasOwn(found, name) && !Object.hasOwn(payload, name)) no("a claim was hidden that never is");
  }
  return found;
}

export async function signed(header, payload, key) {
  const text = [header, payload].map((one) => encoded(bytesOf(JSON.stringify(one)))).join(".");
  const made = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key, bytesOf(text));
  return `${text}.${encoded(made)}`;
}

// The disclosures that a claim needs: its own, and those inside of it.
export async function needed(payload, disclosures, names) {
  const all = new Map();
  for (const one of disclosures) all.set(await digest(one), one);
  const found = new Set();
  const inside = (value) => {
    if (Array.isArray(value)) value.forEach(inside);
    else if (isObject(value)) {
      for (const one of [...(value._sd ?? []), ...(value["..."] ? [value["..."]] : [])]) follow(one);
      Object.entries(value).forEach(([name, one]) => { if (name !== "_sd") inside(one); });
    }
  };
  const follow = (one) => {
    const text = all.get(one);
    if (!text || found.has(text)) return;
    found.add(text);
    inside(contents(text).at(-1));
  };
  for (const one of payload._sd ?? []) {
    const text = all.get(one);
    if (text && names.includes(contents(text)[1])) follow(one);
  }
  for (const [name, value] of Object.entries(payload)) if (names.includes(name)) inside(value);
  return disclosures.filter((one) => found.has(one));
}

// Some claims of a licence, bound to a verifier's nonce by the holder's key (4.3).
export async function present(text, names, key, { nonce, aud }) {
  const parts = parse(text);
  const shown = await needed(jws(parts.signed).payload, parts.disclosures, names);
  const head = [parts.signed, ...shown, ""].join("~");
  const told = { iat: Math.floor(Date.now() / 1000), aud, nonce, sd_hash: await digest(head) };
  return head + await signed({ alg: "ES256", typ: "kb+jwt" }, told, key);
}
