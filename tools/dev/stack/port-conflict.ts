import { isPortFree } from "../processes/ports.ts";
import { whoListens } from "../processes/who-listens.ts";
import type { ListeningPort } from "./ports.ts";

/** A port that is to be used is somebody else's. The message names it, the setting that changes it, and what to do. */
export class PortConflict extends Error {
  override name = "PortConflict";
}

// Two clones meet on all ports at once: a few of them tell who it is.
const LINE_COUNT_MAX = 4;

/** Throws a PortConflict if somebody listens on one of these ports of 127.0.0.1. */
export async function assertPortsFree(ports: readonly ListeningPort[]): Promise<void> {
  const lines: string[] = [];
  const settings = new Set<string>();
  for (const { member, what, port } of ports) {
    if (await isPortFree(port)) continue;
    const owner = await whoListens(port);
    const by = owner ? ` by ${owner.command} (pid ${owner.pid}, in ${owner.directory})` : "";
    lines.push(`port ${port} of 127.0.0.1, for ${member}${what === member ? "" : ` ${what}`}, is in use${by}`);
    settings.add(what === "public" ? "EDGE_PORT=18080" : "WEFT_PORT_BASE=17000");
  }
  if (lines.length === 0) return;
  const more = lines.length - LINE_COUNT_MAX;
  const shown = more > 1 ? [...lines.slice(0, LINE_COUNT_MAX), `and ${more} more`] : lines;
  const what = lines.length === 1 ? "it" : "them";
  const advice = `end what holds ${what} (if that is another clone's stack: make down there), or take other ports: `;
  throw new PortConflict([...shown, `${advice}${[...settings].join(" ")} make up`].join("\n"));
}
