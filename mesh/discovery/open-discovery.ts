import type { Discovery } from "../contract/discovery.ts";
import { SettingError } from "../contract/settings.ts";
import type { Logger } from "../telemetry/logger.ts";
import { createDnsDiscovery } from "./dns.ts";
import type { DiscoverySetting } from "./setting.ts";
import { createStaticDiscovery } from "./static.ts";

/** Opens the source that the setting names, of those that need no engine. @throws SettingError if it needs one */
export function openDiscovery(setting: DiscoverySetting, { logger }: { readonly logger: Logger }): Discovery {
  switch (setting.source) {
    case "static":
      return createStaticDiscovery(setting.instances);
    case "dns":
      return createDnsDiscovery({ names: setting.names, logger });
    case "nats":
      throw new SettingError("WEFT_DISCOVERY=nats: is for processes that open it by @weft/mesh/discovery-nats");
  }
}
