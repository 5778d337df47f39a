import { createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

/** How far a webhook's timestamp may be from now: an older one may be somebody else's copy of it. */
export const TIMESTAMP_TOLERANCE_MS = 5 * 60_000;

// Standard Webhooks lets an id have no full stop: what is signed would be ambiguous.
const ID = /^[\w-]{1,128}$/;
const TIMESTAMP = /^\d{1,12}$/;

/** What a webhook's signature has proved, or why it proves nothing. */
export type Verdict = { readonly id: string } | { readonly refused: string };

/**
 * Verifies a webhook as Standard Webhooks 1.0.0 has it (https://www.standardwebhooks.com): the headers webhook-id,
 * webhook-timestamp (seconds) and webhook-signature, a list of `v1,<base64 of HMAC-SHA256>` one of which must be right.
 *
 * @param secret `whsec_` and the key in base64
 */
export function verifyWebhook(
  request: { readonly headers: IncomingHttpHeaders; readonly body: Buffer },
  secret: string,
  nowMs: number,
): Verdict {
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures } = request.headers;
  if (typeof id !== "string" || !ID.test(id)) return { refused: "webhook-id is missing or has other characters" };
  if (typeof timestamp !== "string" || !TIMESTAMP.test(timestamp)) {
    return { refused: "webhook-timestamp must be seconds since 1970" };
  }
  if (Math.abs(nowMs - Number(timestamp) * 1_000) > TIMESTAMP_TOLERANCE_MS) {
    return { refused: "webhook-timestamp is more than five minutes from now" };
  }
  if (typeof signatures !== "string") return { refused: "webhook-signature is missing" };
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const right = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(request.body).digest();
  const isSigned = signatures.split(" ").some((signature) => isEqual(signature, right));
  return isSigned ? { id } : { refused: "no signature in webhook-signature is right" };
}

function isEqual(signature: string, right: Buffer): boolean {
  const [version, text = ""] = signature.split(",");
  const given = Buffer.from(text, "base64");
  return version === "v1" && given.length === right.length && timingSafeEqual(given, right);
}
