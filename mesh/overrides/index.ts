export { type Override, type OverrideCheck, OverrideRefused, openOverride, signOverride } from "./signed-override.ts";
