export { createDnsDiscovery, type DnsDiscoveryOptions, type Lookup } from "./dns.ts";
export { openDiscovery } from "./open-discovery.ts";
export { type DiscoverySetting, readDiscovery } from "./setting.ts";
export { createStaticDiscovery } from "./static.ts";
