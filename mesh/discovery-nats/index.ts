export { openDiscovery } from "./open-discovery.ts";
export { type OverrideBoard, type OverrideBoardOptions, openOverrideBoard } from "./override-board.ts";
