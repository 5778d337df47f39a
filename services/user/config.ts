import { type Env, readString, readUrl } from "@weft/mesh/contract";
import { loadMeshConfig, type MeshConfig } from "@weft/mesh/server";

export interface Config {
  mesh: MeshConfig;
  mysqlUrl: string;
  natsUrl: string;
  /** PEM file with the EC P-256 private key that signs access tokens. */
  tokenKeyFile: string;
  /** The `iss` of access tokens. */
  tokenIssuer: string;
}

/** The settings of the user service. A missing or bad one throws a SettingError that names it. */
export function loadConfig(env: Env): Config {
  return {
    mesh: loadMeshConfig(env),
    mysqlUrl: readUrl(env, "MYSQL_URL", ["mysql:"]),
    natsUrl: readUrl(env, "NATS_URL", ["nats:"]),
    tokenKeyFile: readString(env, "TOKEN_KEY_FILE"),
    tokenIssuer: readString(env, "TOKEN_ISSUER"),
  };
}
