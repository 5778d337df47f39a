import { isPortFree } from "../processes/ports.ts";
import { whoListens } from "../processes/who-listens.ts";
import type { Member } from "./member.ts";

/** A port that is to be used is somebody else's. The message names it, the setting that changes it, and what to do. */
export class PortConflict extends Error {}

/** Throws a PortConflict if a member that does not run could not listen where it has to. */
export async function assertPortsFree(members: readonly Member[]): Promise<void> {
  const lines: string[] = [];
  const settings = new Set<string>();
  for (const member of members.filter((each) => !each.isRunning())) {
    for (const [what, port] of Object.entries(member.ports)) {
      if (await isPortFree(port)) continue;
      const owner = await whoListens(port);
      const by = owner ? ` by ${owner.command} (pid ${owner.pid}, in ${owner.directory})` : "";
      lines.push(`port ${port} of 127.0.0.1 (${member.name}: ${what}) is in use${by}`);
      settings.add(what === "public" ? "EDGE_PORT" : "WEFT_PORT_BASE");
    }
  }
  if (lines.length === 0) return;
  const examples = { WEFT_PORT_BASE: "WEFT_PORT_BASE=17000", EDGE_PORT: "EDGE_PORT=18080" } as Record<string, string>;
  const example = [...settings].map((setting) => examples[setting]).join(" ");
  const advice = `stop what holds ${lines.length > 1 ? "them" : "it"} (another clone's stack: make down there), or choose others: ${example} make up`;
  throw new PortConflict([...lines, advice].join("\n"));
}
