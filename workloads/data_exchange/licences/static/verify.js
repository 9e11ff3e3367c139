// Verifies a presentation with what is at hand (licences/verify.py does the same). No network.
import {
  ProofError, bytesOf, decoded, digest, disclosed, encoded, isObject, jws, parse, parseJson,
} from "./sdjwt.js";

const TECHNICAL = ["iss", "iat", "nbf", "exp", "vct", "vct#integrity", "cnf", "status"];
const FRESH = 300;
const LAST = 253402300799;
const UNPACKED = 12500000;

const no = (why) => { throw new ProofError(why); };
const isTime = (value) => typeof value === "number" && Number.isFinite(value) && value >= 0 && value <= LAST;

const KINDS = {
  "OKP/Ed25519": { alg: "EdDSA", name: { name: "Ed25519" }, use: { name: "Ed25519" }, own: ["x"] },
  "EC/P-256": {
    alg: "ES256", name: { name: "ECDSA", namedCurve: "P-256" }, own: ["x", "y"],
    use: { name: "ECDSA", hash: "SHA-256" },
  },
};

// Whether this browser can verify the issuers' signatures at all.
export async function able() {
  try {
    await crypto.subtle.importKey("raw", new Uint8Array(32).fill(9), { name: "Ed25519" }, false, ["verify"]);
    return typeof DecompressionStream === "function";
  } catch {
    return false;
  }
}

// The payload, if that key signed it as that type; the key decides the algorithm.
async function toldBy(taken, jwk, typ) {
  const kind = KINDS[`${jwk.kty}/${jwk.crv}`] ?? no("only keys of kty OKP and crv Ed25519, or kty EC and crv P-256, are taken");
  if ("d" in jwk) no("this is a private key");
  if ((jwk.alg ?? kind.alg) !== kind.alg || (jwk.use ?? "sig") !== "sig") no("this key is for something else");
  const { header } = taken;
  if (header.alg !== kind.alg || "crit" in header || "b64" in header) {
    no("signed with another algorithm than the key's, or with extensions");
  }
  if (header.typ !== typ) no("it was signed as something else");
  const plain = { kty: jwk.kty, crv: jwk.crv };
  for (const name of kind.own) plain[name] = jwk[name];
  let key;
  try {
    key = await crypto.subtle.importKey("jwk", plain, kind.name, false, ["verify"]);
  } catch {
    no("the key cannot be used");
  }
  const good = await crypto.subtle.verify(kind.use, key, taken.signature, bytesOf(taken.signed));
  if (!good) no("the signature is not that of the key");
  return taken.payload;
}

function keyOf(issuer, header) {
  const keys = issuer.jwks.keys;
  if (!("kid" in header) && keys.length === 1) return keys[0];
  return keys.find((one) => one.kid === header.kid) ?? no("the issuer has no such key, or it was revoked");
}

const signsAt = (key, second) => Math.floor(key.nbf ?? 0) <= second && second < (key.exp ?? Infinity);

function validAt(claims, now) {
  for (const name of ["iat", "nbf", "exp"]) {
    if (Object.hasOwn(claims, name) && !isTime(claims[name])) no(`${name} is no time`);
  }
  if ((claims.nbf ?? now) > now) no("it is not valid yet");
  if (Object.hasOwn(claims, "exp") && claims.exp <= now) no("it is valid no more");
}

async function bound(parts, claims, now, wanted) {
  if (!parts.binding) no("a key binding is asked for");
  const jwk = isObject(claims.cnf) ? claims.cnf.jwk : undefined;
  if (!isObject(jwk)) no("it is bound to no key");
  const told = await toldBy(jws(parts.binding), jwk, "kb+jwt");
  if (!isTime(told.iat)) no("iat is no time");
  if (Math.abs(now - told.iat) > FRESH) no("the key binding is not fresh");
  if (told.nonce !== wanted.nonce || told.aud !== wanted.aud) no("the key binding is for another nonce or verifier");
  if (told.sd_hash !== await digest(parts.bound)) no("the key binding is for other disclosures");
  validAt(told, now);
}

async function unpacked(text) {
  let source;
  try {
    source = new Blob([decoded(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
  } catch {
    no("not a status list");
  }
  const reader = source.getReader();
  const parts = [];
  let size = 0;
  for (;;) {
    let next;
    try {
      next = await reader.read();
    } catch {
      no("the status list is cut off, or too long");
    }
    if (next.done) break;
    size += next.value.length;
    // A small text can unpack to gigabytes: what is too long is not read on.
    if (size > UNPACKED) {
      await reader.cancel();
      no("the status list is cut off, or too long");
    }
    parts.push(next.value);
  }
  const all = new Uint8Array(size);
  let at = 0;
  for (const part of parts) { all.set(part, at); at += part.length; }
  return all;
}

async function statusOf(issuer, claims, now) {
  if (!Object.hasOwn(claims, "status")) return { verdict: "holds", status: "valid", why: "" };
  const place = isObject(claims.status) ? claims.status.status_list : undefined;
  if (!isObject(place) || !Number.isInteger(place.idx) || typeof place.uri !== "string") {
    no("it names no place in a status list");
  }
  const listed = issuer.lists.find((one) => one.uri === place.uri);
  if (!listed) return { verdict: "unsure", why: "its status list is not at hand" };
  const taken = jws(listed.token);
  const key = keyOf(issuer, taken.header);
  const told = await toldBy(taken, key, "statuslist+jwt");
  if (told.sub !== place.uri) no("the status list is another one");
  if (!isTime(told.iat) || (told.exp !== undefined && !isTime(told.exp))) no("the status list has no time");
  if (told.ttl !== undefined && !(isTime(told.ttl) && told.ttl > 0)) no("the ttl of the status list is no positive number");
  if (told.iat > now + FRESH) no("the status list is of the future");
  if (told.exp !== undefined && told.exp <= now) {
    return { verdict: "unsure", why: "the status list has expired", asOf: told.iat, stale: true };
  }
  if (!signsAt(key, told.iat)) no("the key of the status list did not sign at that time");
  const list = told.status_list;
  if (!isObject(list) || ![1, 2, 4, 8].includes(list.bits) || typeof list.lst !== "string") no("not a status list");
  const bytes = await unpacked(list.lst);
  const each = 8 / list.bits;
  if (place.idx < 0 || place.idx >= bytes.length * each) no("the list has no such index");
  const value = bytes[Math.floor(place.idx / each)] >> ((place.idx % each) * list.bits) & ((1 << list.bits) - 1);
  const about = { asOf: told.iat, stale: told.ttl !== undefined && now > told.iat + told.ttl };
  if (value === 0) return { ...about, verdict: "holds", status: "valid", why: "" };
  const [status, why] = [undefined, ["invalid", "it was revoked"], ["suspended", "it is suspended"]][value]
    ?? ["other", "its status is none that counts"];
  // What was shown is not handed on: a licence that does not count says nothing.
  return { ...about, verdict: "fails", status, why, claims: {} };
}

async function integrity(text) {
  const hash = await crypto.subtle.digest("SHA-256", bytesOf(text));
  return `sha256-${btoa(String.fromCharCode(...new Uint8Array(hash)))}`;
}

async function typeOf(issuer, claims) {
  const found = issuer.types.find((one) => one.vct === claims.vct);
  if (!found) no("its issuer issues no such type, or it is not known here");
  const made = await integrity(found.metadata);
  if ((claims["vct#integrity"] ?? made) !== made) no("its type was changed since it was issued");
  const about = parseJson(found.metadata, "type");
  for (const one of about.claims ?? []) {
    if (one.sd === "never" && one.mandatory && !Object.hasOwn(claims, one.path[0])) {
      no("a field is missing that is always shown");
    }
  }
  return about;
}

async function inside(text, trust, { now, wanted, vct }) {
  const parts = parse(text.trim());
  const taken = jws(parts.signed);
  const issuer = trust.issuers.find((one) => one.issuer === taken.payload.iss) ?? no("its issuer is not known here");
  const key = keyOf(issuer, taken.header);
  const payload = await toldBy(taken, key, "dc+sd-jwt");
  const claims = await disclosed(payload, parts.disclosures);
  if (typeof claims.vct !== "string") no("a credential names its type");
  validAt(claims, now);
  if (wanted) await bound(parts, claims, now, wanted);
  if (!signsAt(key, claims.iat ?? now)) no("the key did not sign at that time");
  if (vct && claims.vct !== vct) no("it is a licence of another type than was asked for");
  const about = await typeOf(issuer, claims);
  const shown = {};
  for (const [name, value] of Object.entries(claims)) if (!TECHNICAL.includes(name)) shown[name] = value;
  const found = { claims: shown, about, issuer: issuer.name, address: issuer.issuer, until: claims.exp };
  return { why: "", status: "unknown", stale: false, ...found, ...await statusOf(issuer, claims, now) };
}

// verdict: holds, unsure or fails; never throws for what was presented.
export async function verify(text, trust, { now = Date.now() / 1000, wanted = null, vct = "" } = {}) {
  try {
    return await inside(text, trust, { now, wanted, vct });
  } catch (error) {
    if (!(error instanceof ProofError)) throw error;
    return { verdict: "fails", why: error.message, status: "unknown", claims: {}, stale: false };
  }
}

export const thumbprint = async (jwk) => encoded(await crypto.subtle.digest("SHA-256",
  bytesOf(`{"crv":"${jwk.crv}","kty":"${jwk.kty}","x":"${jwk.x}"${jwk.y ? `,"y":"${jwk.y}"` : ""}}`)));
