/** What a call carries, there and back. */
export type WorkloadName = "echo" | "order" | "16k" | "256k";

export const workloadNames: readonly WorkloadName[] = ["echo", "order", "16k", "256k"];

export const workloadTitles: Readonly<Record<WorkloadName, string>> = {
  echo: "echo, 11 bytes",
  order: "an order of ten lines, 550 bytes, a rule on every field",
  "16k": "16 KiB",
  "256k": "256 KiB",
};

export const echoText = "hello world";

/** Plain objects and numbers, as a service would have them; about 550 bytes in protobuf. */
export const order = {
  orderId: "ord_7K01KAQ3ZV6T0M8X5N7R2BCDEFG",
  userId: "usr_7K01JD2Q9V6ZJ4T8M3X5N7R2BCH",
  currencyCode: "EUR",
  lines: Array.from({ length: 10 }, (_, index) => ({
    sku: `WFT-0${410 + index * 7}-BLK`,
    title: `Stoneware mug, ${250 + index * 50} ml`,
    quantity: index + 1,
    unitPriceMinor: 1_290 + index * 310,
  })),
};

/** So many bytes that no codec and no compression can make light of. */
export function bytesOf(length: number): Uint8Array {
  let state = 0x2545f491;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state >>> 24;
  });
}

export const byteLengths = { "16k": 16 * 1024, "256k": 256 * 1024 } as const;

/** An answer of any peer, as far as it is looked at. */
export interface BenchAnswer {
  readonly text?: string;
  readonly order?: { readonly orderId: string; readonly lines: readonly unknown[] } | undefined | null;
  readonly data?: { readonly length: number };
}

/** @throws Error if what came back is not what was sent */
export function checkAnswer(workload: WorkloadName, { text, order: answered, data }: BenchAnswer): void {
  const right =
    workload === "echo"
      ? text === echoText
      : workload === "order"
        ? answered?.orderId === order.orderId && answered.lines.length === order.lines.length
        : data?.length === byteLengths[workload];
  if (!right) throw new Error(`${workload}: something else came back`);
}
