import { type Env, readString, readUrl, SettingError } from "@weft/mesh/contract";
import { loadMeshConfig, type MeshConfig } from "@weft/mesh/server";

export interface Config {
  readonly mesh: MeshConfig;
  readonly mysqlUrl: string;
  readonly natsUrl: string;
  readonly smtpUrl: string;
  /** The From header of all e-mails. */
  readonly mailFrom: string;
  /** Base URL of the gateway that delivers text and push messages. */
  readonly webhookUrl: string;
  /** What webhooks to it are signed with, or the file that has it, and the setting that says so. */
  readonly webhookSecret: { readonly setting: string } & ({ readonly text: string } | { readonly file: string });
}

/** The settings of the notification service. A missing or bad one throws a SettingError that names it. */
export function loadConfig(env: Env): Config {
  return {
    mesh: loadMeshConfig(env),
    mysqlUrl: readUrl(env, "MYSQL_URL", ["mysql:"]),
    natsUrl: readUrl(env, "NATS_URL", ["nats:"]),
    smtpUrl: readUrl(env, "SMTP_URL", ["smtp:", "smtps:"]),
    mailFrom: readString(env, "MAIL_FROM"),
    webhookUrl: readUrl(env, "WEBHOOK_URL", ["http:", "https:"]),
    webhookSecret: readSecret(env),
  };
}

function readSecret({ WEBHOOK_SECRET: text, WEBHOOK_SECRET_FILE: file }: Env): Config["webhookSecret"] {
  if (text && file) throw new SettingError("WEBHOOK_SECRET and WEBHOOK_SECRET_FILE are both set: one of them, please");
  if (file) return { setting: "WEBHOOK_SECRET_FILE", file };
  if (text) return { setting: "WEBHOOK_SECRET", text };
  throw new SettingError(
    "neither WEBHOOK_SECRET nor WEBHOOK_SECRET_FILE is set: this process cannot start without one",
  );
}
