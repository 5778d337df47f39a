export { openDiscovery } from "./open-discovery.ts";
