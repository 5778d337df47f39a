import { expect, test } from "vitest";
import { connectionsTo, measureReplicas } from "./replicas.ts";

test("connections of a client to many replicas are counted", async () => {
  const figures = await measureReplicas(5, 150);
  expect(figures?.connected).toBe(5);
  expect(figures?.connections).toBeGreaterThanOrEqual(5);
  expect(figures?.callsPerSecond).toBeGreaterThan(0);
}, 30_000);

test("only open connections to the port count, each by its remote end", () => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000
   1: 0100007F:C001 0101007F:1F90 01 00000000:00000000
   2: 0100007F:C002 0201007F:1F90 06 00000000:00000000
   3: 0101007F:1F90 0100007F:C001 01 00000000:00000000
   4: 0100007F:C003 0101007F:1F91 01 00000000:00000000`;
  expect(connectionsTo(table, 8080)).toEqual(["0101007F:1F90"]);
});
