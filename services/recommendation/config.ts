import { type Env, readList, readUrl } from "@weft/mesh/contract";
import { loadMeshConfig, type MeshConfig } from "@weft/mesh/server";

/** Of the demo assortment. */
const fixedSkusDefault =
  "COF-ESPRESSO-250,COF-GRINDER-HAND,KIT-KNIFE-CHEF-20,HOM-BLANKET-WOOL,OUT-BOTTLE-750,HOM-VASE-STONE,COF-PRESS-800,OUT-RUCKSACK-22";

export interface Config {
  readonly mesh: MeshConfig;
  readonly mysqlUrl: string;
  readonly natsUrl: string;
  /** What is recommended when nothing else is known, the best first. */
  readonly fixedSkus: readonly string[];
}

/** The settings of the recommendation service. A missing or bad one throws a SettingError that names it. */
export function loadConfig(env: Env): Config {
  return {
    mesh: loadMeshConfig(env),
    mysqlUrl: readUrl(env, "MYSQL_URL", ["mysql:"]),
    natsUrl: readUrl(env, "NATS_URL", ["nats:"]),
    fixedSkus: readList({ RECOMMENDED_SKUS: fixedSkusDefault, ...env }, "RECOMMENDED_SKUS"),
  };
}
