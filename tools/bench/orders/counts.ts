import type { RowDataPacket } from "mysql2/promise";
import { cpuMsOf } from "../cpu-time.ts";
import { sumOf } from "../prometheus.ts";
import type { BenchShop } from "./shop.ts";

/** What a service has done since it began, as the server and the service count it. */
export interface ServiceCounts {
  readonly bytesToDatabase: number;
  readonly bytesFromDatabase: number;
  readonly callsMade: number;
  readonly callsAnswered: number;
  readonly eventsPublished: number;
  readonly eventsReceived: number;
}

export type CountsByService = ReadonlyMap<string, ServiceCounts>;

/** CPU time of each process of the shop, in ms, by its name in the stack; "client" is this one. */
export function readCpu({ stack }: BenchShop): ReadonlyMap<string, number> {
  const { user, system } = process.cpuUsage();
  const cpu = new Map([["client", (user + system) / 1000]]);
  for (const { name, pid } of stack.status()) if (pid !== undefined) cpu.set(name, cpuMsOf(pid));
  return cpu;
}

/** Reads all counters. Costs each service a look at its tables: not to be done while something is measured. */
export async function readCounts({ stack, admin }: BenchShop): Promise<CountsByService> {
  const { services, database } = stack.addresses;
  const [rows] = await admin.query<RowDataPacket[]>(
    "SELECT USER AS user, BYTES_RECEIVED AS received, BYTES_SENT AS sent FROM information_schema.USER_STATISTICS",
  );
  const counts = new Map<string, ServiceCounts>();
  for (const [service, { metrics }] of Object.entries(services)) {
    const own = rows.find(({ user }) => user === `${database.schemaPrefix}_${service}`);
    const text = await (await fetch(`http://${metrics}/metrics`)).text();
    counts.set(service, {
      bytesToDatabase: Number(own?.received ?? 0),
      bytesFromDatabase: Number(own?.sent ?? 0),
      callsMade: sumOf(text, "rpc_client_call_duration_count"),
      callsAnswered: sumOf(text, "rpc_server_call_duration_count"),
      eventsPublished: sumOf(text, "messaging_client_sent_messages_total"),
      eventsReceived: sumOf(text, "weft_consumer_events_total") + sumOf(text, "weft_broadcast_events_total"),
    });
  }
  return counts;
}

/** What came between two readings, for each of so many orders. */
export function perOrder<Key>(
  before: ReadonlyMap<Key, number>,
  after: ReadonlyMap<Key, number>,
  orders: number,
): Map<Key, number> {
  return new Map([...after].map(([key, value]) => [key, (value - (before.get(key) ?? 0)) / orders]));
}
