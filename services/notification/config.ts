import { type Env, readString, readUrl } from "@weft/mesh/contract";
import { loadMeshConfig, type MeshConfig } from "@weft/mesh/server";

export interface Config {
  readonly mesh: MeshConfig;
  readonly mysqlUrl: string;
  readonly natsUrl: string;
  readonly smtpUrl: string;
  /** The From header of all e-mails. */
  readonly mailFrom: string;
}

/** The settings of the notification service. A missing or bad one throws a SettingError that names it. */
export function loadConfig(env: Env): Config {
  return {
    mesh: loadMeshConfig(env),
    mysqlUrl: readUrl(env, "MYSQL_URL", ["mysql:"]),
    natsUrl: readUrl(env, "NATS_URL", ["nats:"]),
    smtpUrl: readUrl(env, "SMTP_URL", ["smtp:", "smtps:"]),
    mailFrom: readString(env, "MAIL_FROM"),
  };
}
