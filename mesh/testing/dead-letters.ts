import type { DeadLetter, DeadLetters, RedrivenDeadLetter } from "../contract/dead-letters.ts";

const letter = (id: number): DeadLetter => ({
  ...{ letterId: BigInt(id), givenUpAt: new Date(id * 1_000), subject: "shop.order.v1.OrderPlaced", eventId: `e${id}` },
  ...{ cause: id % 2 ? "odd" : "even", deliveries: 10, traceId: "" },
});

/** Letters 1 to `count` in memory; what redriving does with one is `redriven`'s to say. */
export function lettersOf(count: number, redriven: (id: bigint) => Partial<RedrivenDeadLetter> = () => ({})) {
  const there = new Map(Array.from({ length: count }, (_, index) => [BigInt(index + 1), letter(index + 1)]));
  const letters: DeadLetters = {
    async list({ filter, afterId = 0n, limit }) {
      const rest = [...there.values()].filter(
        ({ letterId, cause }) => letterId > afterId && cause.includes(filter.cause ?? ""),
      );
      const page = rest.slice(0, limit);
      return { letters: page, next: rest.length > limit ? page.at(-1)?.letterId : undefined };
    },
    usage: async () => ({ total: there.size, streamBytes: 90, streamBytesMax: 100 }),
    async get(id) {
      const found = there.get(id);
      const envelope = { eventType: "T", aggregateId: "ord_1", aggregateVersion: 3n, occurredAt: new Date(5) };
      if (found === undefined) return undefined;
      if (id === 2n)
        return { letter: found, headers: {}, envelope: undefined, body: { hex: "ff", problem: "unreadable" } };
      return { letter: found, headers: { a: "b" }, envelope, body: { json: '{"orderId":"ord_1"}' } };
    },
    async redrive(id, { dryRun }) {
      const found = there.get(id);
      if (found === undefined) return undefined;
      const one = {
        letterId: id,
        subject: found.subject,
        outcome: "handled",
        detail: "",
        kept: dryRun,
        ...redriven(id),
      } as const;
      if (!one.kept) there.delete(id);
      return one;
    },
    discard: async (id) => there.delete(id),
  };
  return { letters, there };
}
