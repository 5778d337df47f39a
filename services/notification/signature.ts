import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { SettingError } from "@weft/mesh/contract";

/** Where a secret is: in a setting, or in a file that a setting names. */
export type SecretSource = { readonly setting: string } & ({ readonly text: string } | { readonly file: string });

/** Bytes of a key, as Standard Webhooks has it. */
const keyLength = { min: 24, max: 64 };

/**
 * Reads what webhooks are signed with: `whsec_` and a key in base64.
 *
 * @throws SettingError naming the setting, and nothing of the secret
 */
export async function loadWebhookSecret(source: SecretSource): Promise<Buffer> {
  const text = "text" in source ? source.text : await readSecretFile(source);
  const [, base64] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text.trim()) ?? [];
  const key = Buffer.from(base64 ?? "", "base64");
  if (key.length < keyLength.min || key.length > keyLength.max) {
    const { min, max } = keyLength;
    throw new SettingError(`${source.setting} has no secret: "whsec_" and ${min} to ${max} bytes in base64`);
  }
  return key;
}

async function readSecretFile({ setting, file }: { setting: string; file: string }): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new SettingError(`${setting}=${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/**
 * A webhook's headers after Standard Webhooks 1.0.0 (https://www.standardwebhooks.com). The id stays the same with each attempt, the
 * time is the attempt's: a receiver refuses what is older than minutes.
 */
export function webhookHeaders(
  key: Buffer,
  { id, body, atMs }: { readonly id: string; readonly body: string; readonly atMs: number },
): Record<string, string> {
  const timestamp = String(Math.floor(atMs / 1_000));
  const signature = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
  return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${signature}` };
}
