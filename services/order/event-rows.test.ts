import { glob, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { type EventRow, encodeEvent, toStoredEvent } from "./event-rows.ts";
import { schemaVersionOf } from "./upcast.ts";

const repository = fileURLToPath(new URL("../../", import.meta.url));

interface Recorded {
  readonly type: Parameters<typeof schemaVersionOf>[0];
  readonly versions: readonly { readonly samples: Readonly<Record<string, { readonly base64: string }>> }[];
}

test("every event that was ever stored is read, whichever version of its schema its row says", async () => {
  const types = new Set<string>();
  for await (const path of glob("proto/events/shop.order.v1.*.json", { cwd: repository })) {
    const { type, versions } = JSON.parse(await readFile(`${repository}/${path}`, "utf8")) as Recorded;
    types.add(type);
    for (const { base64 } of versions.flatMap(({ samples }) => Object.values(samples))) {
      const payload = Buffer.from(base64, "base64");
      for (let version = 1; version <= schemaVersionOf(type); version += 1) {
        const row: EventRow = { order_id: "ord_1", type, schema_version: version, payload, occurred_at: new Date(0) };
        const { event } = toStoredEvent(row);
        expect(event.$typeName).toBe(type);
        if (version === schemaVersionOf(type)) expect(Buffer.from(encodeEvent(event))).toEqual(payload);
      }
    }
  }
  expect(types.size).toBeGreaterThanOrEqual(8);
});
