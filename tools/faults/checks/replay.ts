import type { Finding } from "./finding.ts";

/** What each table held before all events were told again, and after. */
export function checkReplay(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): Finding[] {
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((table) => before.get(table) !== after.get(table))
    .map((subject) => {
      const detail = `its checksum was ${before.get(subject)}, and is ${after.get(subject)}`;
      return { invariant: "replay changes nothing", kind: "duplicated", subject, detail };
    });
}
