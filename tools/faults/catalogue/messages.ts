import { randomUUID } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { EventEnvelopeSchema } from "@weft/mesh/gen/weft/v1/event_pb.js";
import { Redis } from "ioredis";
import { PaymentFailedSchema } from "../../../gen/shop/payment/v1/events_pb.ts";
import { openStream, shuffled } from "../stream.ts";
import type { Truth } from "../truth.ts";
import { between, type Fault } from "./fault.ts";

const DUPLICATES = 300;
/** What can be read and not be handled is delivered ten times, with growing waits: a minute and a half. */
const BURIAL_MS = 180_000;

const duplicates: Fault = {
  kind: "duplicate-events",
  what: "the newest events come again under new message ids, in their order",
  async inject(world) {
    await using stream = await openStream(world.stack.addresses.engines.nats);
    const messages = await stream.newest(DUPLICATES);
    for (const message of messages) await stream.publish({ ...message, id: randomUUID() });
    return { lastsMs: 1_000, hits: () => messages.length };
  },
};

const stale: Fault = {
  kind: "old-events",
  what: "the newest events come again under new message ids, in any order",
  async inject(world, random) {
    await using stream = await openStream(world.stack.addresses.engines.nats);
    const messages = shuffled(random, await stream.newest(DUPLICATES));
    for (const message of messages) await stream.publish({ ...message, id: randomUUID() });
    return { lastsMs: 1_000, hits: () => messages.length };
  },
};

const PUBLISHERS = ["order", "payment", "inventory"] as const;

const reordered: Fault = {
  kind: "reordered-events",
  what: "events of order, payment and inventory are first delivered in any order",
  async inject(world, random) {
    const { links, addresses } = world.stack;
    // Their relays are kept from publishing; what waits in the outboxes is published for them, shuffled.
    const cut = PUBLISHERS.map((name) => links.get(`${name}>nats`));
    await world.setAll(cut, { kind: "blackhole" });
    const lastsMs = between(random, 1_000, 2_500);
    let published = 0;
    return {
      lastsMs,
      hits: () => published,
      async heal() {
        await using stream = await openStream(addresses.engines.nats);
        const waiting = await Promise.all(PUBLISHERS.map((name) => world.unpublished(name)));
        for (const message of shuffled(random, waiting.flat())) {
          await stream.publish(message);
          published += 1;
        }
      },
    };
  },
};

const poison: Fault = {
  kind: "poison-messages",
  what: "events of an unknown type, with a broken body, and of an order that does not exist, among the good ones",
  settleMs: BURIAL_MS,
  async inject(world) {
    await using stream = await openStream(world.stack.addresses.engines.nats);
    const subject = "shop.payment.v1.PaymentFailed";
    const orderId = `ord_00${"0".repeat(26)}`;
    const envelope = (type: string, payload: Uint8Array) => {
      const eventId = `poison-${randomUUID()}`;
      const facts = { eventId, type, aggregateId: orderId, aggregateVersion: 1n, occurredAt: timestampNow(), payload };
      return { subject, id: eventId, data: toBinary(EventEnvelopeSchema, create(EventEnvelopeSchema, facts)) };
    };
    const failed = create(PaymentFailedSchema, { orderId, reason: "poison" });
    const messages = [
      envelope("shop.payment.v1.PaymentMelted", toBinary(PaymentFailedSchema, failed)),
      { subject, id: `poison-${randomUUID()}`, data: Buffer.from("this is no envelope") },
      envelope(subject, Buffer.from([0xff, 0xff, 0xff])),
      envelope(subject, toBinary(PaymentFailedSchema, failed)),
      { ...envelope("shop.unheard.v1.Of", new Uint8Array()), subject: "shop.order.v1.OrderMelted" },
    ];
    for (const message of messages) await stream.publish({ ...message, headers: {} });
    // Nobody consumes the last one; the others end among the dead letters of order.
    const mortal = messages.slice(0, -1).map(({ id }) => id);
    return {
      lastsMs: 2_000,
      hits: () => messages.length,
      verify: () => expectBuried(world.truth, mortal),
    };
  },
};

async function expectBuried(truth: Truth, ids: readonly string[]): Promise<string[]> {
  const buried = new Set((await truth.deadLetters()).map(({ eventId }) => eventId));
  return ids.filter((id) => !buried.has(id)).map((id) => `${id} is not among the dead letters`);
}

const flushAll: Fault = {
  kind: "flush-redis",
  what: "Redis forgets everything",
  async inject(world) {
    const redis = new Redis(world.stack.addresses.engines.redis, { lazyConnect: true });
    try {
      await redis.connect();
      const keys = await redis.dbsize();
      await redis.flushall();
      return { lastsMs: 500, hits: () => keys };
    } finally {
      redis.disconnect();
    }
  },
};

export const messages: readonly Fault[] = [duplicates, stale, reordered, poison, flushAll];
