import { type Address, type Env, readAddress, readList, readString, readUrl } from "@weft/mesh/contract";
import { loadMeshConfig, type MeshConfig, readTrustedProxies, type TrustedProxies } from "@weft/mesh/server";

/** Of the demo assortment. */
const recommendedSkusDefault = "COF-ESPRESSO-250,COF-GRINDER-HAND,KIT-KNIFE-CHEF-20,HOM-BLANKET-WOOL,OUT-BOTTLE-750";

export interface Config {
  mesh: MeshConfig;
  /** Where the public API listens. */
  publicAddress: Address;
  natsUrl: string;
  /** Origins whose pages may call the API from a browser: "https://shop.example". */
  corsOrigins: string[];
  /** The `iss` that access tokens must have. */
  tokenIssuer: string;
  /** Our own proxies, whose X-Forwarded-For is believed. */
  isTrustedProxy: TrustedProxies;
  /** What is recommended while nobody can be asked, the best first. */
  recommendedSkus: string[];
}

/** The settings of the edge. A missing or bad one throws a SettingError that names it. */
export function loadConfig(env: Env): Config {
  return {
    mesh: loadMeshConfig(env),
    publicAddress: readAddress(env, "EDGE_ADDR"),
    natsUrl: readUrl(env, "NATS_URL", ["nats:"]),
    corsOrigins: readList(env, "CORS_ORIGINS"),
    tokenIssuer: readString(env, "TOKEN_ISSUER"),
    isTrustedProxy: readTrustedProxies(env, "TRUSTED_PROXIES"),
    recommendedSkus: readList({ RECOMMENDED_SKUS: recommendedSkusDefault, ...env }, "RECOMMENDED_SKUS"),
  };
}
