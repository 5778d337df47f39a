import type { Discovery } from "../contract/discovery.ts";
import { openDiscovery as openWithoutEngine } from "../discovery/open-discovery.ts";
import type { DiscoverySetting } from "../discovery/setting.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { createLink } from "./link.ts";
import { createNatsDiscovery } from "./nats-discovery.ts";
import { createNatsOverrideSource } from "./override-source.ts";

/**
 * Opens the source that the setting names, whichever it is. Returns at once: a source that is away is waited for in the background.
 *
 * @param service the name of the service that looks
 */
export function openDiscovery(
  setting: DiscoverySetting,
  { service, telemetry }: { readonly service: string; readonly telemetry: Telemetry },
): Discovery {
  if (setting.source !== "nats") return openWithoutEngine(setting, telemetry);
  const link = createLink({ url: setting.url, service, telemetry });
  const options = { link, namespace: setting.namespace, telemetry };
  return { ...createNatsDiscovery(options), overrides: createNatsOverrideSource(options) };
}
