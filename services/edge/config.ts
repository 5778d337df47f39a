import { type Address, type Env, readAddress, readList, readString } from "@weft/mesh/contract";
import { loadMeshConfig, type MeshConfig } from "@weft/mesh/server";

export interface Config {
  mesh: MeshConfig;
  /** Where the public API listens. */
  publicAddress: Address;
  /** Origins whose pages may call the API from a browser: "https://shop.example". */
  corsOrigins: string[];
  /** The `iss` that access tokens must have. */
  tokenIssuer: string;
}

/** The settings of the edge. A missing or bad one throws a SettingError that names it. */
export function loadConfig(env: Env): Config {
  return {
    mesh: loadMeshConfig(env),
    publicAddress: readAddress(env, "EDGE_ADDR"),
    corsOrigins: readList(env, "CORS_ORIGINS"),
    tokenIssuer: readString(env, "TOKEN_ISSUER"),
  };
}
