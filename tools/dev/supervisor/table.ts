import { SERVICE_NAMES } from "../stack/ports.ts";
import type { StackReport } from "./control.ts";

/** The stack as a table: what runs where, and what it takes. */
export function stackTable({ members, addresses }: StackReport): string {
  const rows = [["NAME", "PID", "MEMORY", "WHERE (127.0.0.1)"]];
  for (const { name, pid, residentBytes, addresses: where, state } of members) {
    const shared = name === "single" ? { public: where.public ?? "" } : where;
    rows.push([name, pid === undefined ? state : String(pid), megabytes(residentBytes), places(name, shared)]);
    if (name !== "single") continue;
    for (const service of SERVICE_NAMES)
      rows.push([`  ${service}`, "", "", places(service, { ...addresses.services[service] })]);
  }
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map(([name = "", pid = "", memory = "", where = ""]) => {
      const [nameWidth = 0, pidWidth = 0, memoryWidth = 0] = widths;
      return `${name.padEnd(nameWidth)}  ${pid.padStart(pidWidth)}  ${memory.padStart(memoryWidth)}  ${where}`.trimEnd();
    })
    .join("\n");
}

function places(name: string, addresses: Readonly<Record<string, string>>): string {
  return Object.entries(addresses)
    .map(([what, address]) => {
      const place = address.replace(/^127\.0\.0\.1:/, "");
      return what === name ? place : `${what} ${place}`;
    })
    .join("  ");
}

function megabytes(bytes: number | undefined): string {
  return bytes === undefined ? "" : `${Math.round(bytes / 1024 / 1024)} MiB`;
}
