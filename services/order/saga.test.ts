import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { rpcError } from "@weft/mesh/contract";
import { describe, expect, test } from "vitest";
import { OrderPlacedSchema } from "../../gen/shop/order/v1/events_pb.ts";
import { apply, type Order } from "./domain.ts";
import { type AuthorizationAnswer, runSaga, type SagaDeps } from "./saga.ts";

const ttlMs = 60_000;
const unknown = { type: "unknown" } as const;
const unavailable = () => rpcError(Code.Unavailable, "away");

/** One order, and neighbours that answer as told; everything that is asked of them is written down. */
function shop(answers: {
  reserve?: () => Awaited<ReturnType<SagaDeps["inventory"]["reserve"]>>;
  authorize?: () => AuthorizationAnswer;
  ask?: () => AuthorizationAnswer;
  release?: () => void;
}) {
  let nowMs = Date.parse("2026-03-01T12:00:00Z");
  const lines = [{ sku: "A", name: "Apple", quantity: 1, unitPrice: { currencyCode: "EUR", minorUnits: 500n } }];
  const total = { currencyCode: "EUR", minorUnits: 500n };
  const placed = create(OrderPlacedSchema, { orderId: "ord_1", userId: "usr_1", lines, total });
  let order: Order = apply(undefined, placed, new Date(nowMs));
  let finished = false;
  let rivals = 0;
  let interrupted = false;
  const asked: string[] = [];
  const deps: SagaDeps = {
    orders: {
      get: async () => order,
      paymentMethod: async () => {
        if (interrupted) throw new Error("the process dies");
        return "tok_visa";
      },
      append: async (known, event) => {
        if (rivals-- > 0 || known.version !== order.version) throw rpcError(Code.Aborted, "changed meanwhile");
        order = apply(known, event, new Date(nowMs));
        return order;
      },
      finishSaga: async () => {
        finished = true;
      },
    },
    inventory: {
      reserve: async () => {
        asked.push("reserve");
        return answers.reserve?.() ?? { type: "reserved" };
      },
      release: async () => {
        asked.push("release");
        answers.release?.();
      },
    },
    payment: {
      authorize: async (_order, method) => {
        asked.push(`authorize ${method}`);
        return answers.authorize?.() ?? { type: "authorized" };
      },
      ask: async () => {
        asked.push("ask");
        return answers.ask?.() ?? unknown;
      },
    },
    clock: { now: () => nowMs, monotonic: () => nowMs },
    random: () => 1,
    stays: { placedTtlMs: 2 * ttlMs, reservedTtlMs: ttlMs, awaitingPaymentTtlMs: ttlMs },
  };
  return {
    asked,
    run: (attempts = 1) => runSaga(deps, { orderId: "ord_1", attempts, leaseToken: 1n }),
    state: () => order.state,
    order: () => order,
    finished: () => finished,
    pass: (ms: number) => {
      nowMs += ms;
    },
    /** Between reservation and authorization. */
    interrupt: () => {
      interrupted = true;
    },
    contend: (times: number) => {
      rivals = times;
    },
  };
}

describe("runSaga()", () => {
  test("reserves, authorizes, confirms", async () => {
    const it = shop({});
    expect(await it.run()).toBeUndefined();
    expect(it.asked).toEqual(["reserve", "authorize tok_visa"]);
    expect(it.order().history.map(({ state }) => state)).toEqual(["PLACED", "RESERVED", "CONFIRMED"]);
  });

  test("no stock: cancelled, nothing authorized, nothing to release", async () => {
    const it = shop({ reserve: () => ({ type: "refused", reason: "A" }) });
    await it.run();
    expect(it.asked).toEqual(["reserve"]);
    expect(it.order()).toMatchObject({ state: "CANCELLED", cancelReason: "out of stock: A" });
  });

  test("declined: cancelled, then the stock is given back", async () => {
    const it = shop({ authorize: () => ({ type: "declined", reason: "insufficient funds" }) });
    await it.run();
    expect(it.asked).toEqual(["reserve", "authorize tok_visa", "release"]);
    expect(it.state()).toBe("CANCELLED");
    expect(it.finished()).toBe(true);
  });

  test("declined and inventory away: cancelled all the same, and the release is tried again later", async () => {
    let away = true;
    const it = shop({
      authorize: () => ({ type: "declined", reason: "no" }),
      release: () => {
        if (away) throw unavailable();
      },
    });
    await expect(it.run()).rejects.toThrow("away");
    expect(it.state()).toBe("CANCELLED");
    expect(it.finished()).toBe(false);
    away = false;
    await it.run(2);
    expect(it.finished()).toBe(true);
  });

  test("inventory away: stays PLACED, to be run again", async () => {
    let away = true;
    const it = shop({
      reserve: () => {
        if (away) throw unavailable();
        return { type: "reserved" };
      },
    });
    await expect(it.run()).rejects.toThrow("away");
    expect(it.state()).toBe("PLACED");
    away = false;
    await it.run(2);
    expect(it.state()).toBe("CONFIRMED");
  });

  test("payment unknown: waits, with instructions and a due time, and does not ask in the same run", async () => {
    const it = shop({ authorize: () => unknown });
    expect(await it.run()).toBeUndefined();
    expect(it.asked).toEqual(["reserve", "authorize tok_visa"]);
    expect(it.state()).toBe("AWAITING_PAYMENT");
    expect(it.order().paymentInstructions).toContain("ord_1");
    expect(it.order().paymentDueAt).toEqual(new Date(Date.parse("2026-03-01T12:00:00Z") + ttlMs));
  });

  test("while it waits it only asks, ever more rarely, and never past the due time", async () => {
    const it = shop({ authorize: () => unknown });
    await it.run();
    expect(await it.run(1)).toEqual({ againInMs: 2_000 });
    expect(await it.run(3)).toEqual({ againInMs: 8_000 });
    expect(await it.run(50)).toEqual({ againInMs: 15_000 });
    it.pass(ttlMs - 10);
    expect(await it.run(50)).toEqual({ againInMs: 10 });
    expect(it.asked.filter((what) => what.startsWith("authorize"))).toHaveLength(1);
  });

  test("an authorization that turns out to have succeeded confirms the order, even at the last moment", async () => {
    let answer: AuthorizationAnswer = unknown;
    const it = shop({ authorize: () => unknown, ask: () => answer });
    await it.run();
    it.pass(ttlMs + 1);
    answer = { type: "authorized" };
    await it.run();
    expect(it.state()).toBe("CONFIRMED");
    expect(it.asked).not.toContain("release");
  });

  test.each<[string, AuthorizationAnswer, number, string]>([
    ["a decline that was not heard", { type: "declined", reason: "stolen card" }, 0, "payment declined: stolen card"],
    ["time that has run out", unknown, ttlMs, "not paid in time"],
  ])("%s cancels the waiting order and gives its stock back", async (_what, answer, passedMs, reason) => {
    const it = shop({ authorize: () => unknown, ask: () => answer });
    await it.run();
    it.pass(passedMs);
    await it.run();
    expect(it.order()).toMatchObject({ state: "CANCELLED", cancelReason: reason, paymentInstructions: "" });
    expect(it.asked.at(-1)).toBe("release");
    expect(it.finished()).toBe(true);
  });

  test("what cannot be reserved for too long is cancelled, with nothing asked any more", async () => {
    const it = shop({
      reserve: () => {
        throw unavailable();
      },
    });
    await expect(it.run()).rejects.toThrow("away");
    it.pass(2 * ttlMs - 1);
    await expect(it.run(2)).rejects.toThrow("away");
    it.pass(1);
    expect(await it.run(3)).toBeUndefined();
    expect(it.order()).toMatchObject({ state: "CANCELLED", cancelCause: "NOT_RESERVED_IN_TIME" });
    expect(it.asked).toEqual(["reserve", "reserve"]);
  });

  test("what was not authorized for too long is not charged any more, but waits until it is known whether it was", async () => {
    const it = shop({});
    it.interrupt();
    await expect(it.run()).rejects.toThrow("the process dies");
    expect(it.state()).toBe("RESERVED");
    it.pass(ttlMs);
    expect(await it.run(2)).toBeUndefined();
    expect(it.state()).toBe("AWAITING_PAYMENT");
    expect(it.asked).not.toContain("authorize tok_visa");
    it.pass(ttlMs);
    await it.run(3);
    expect(it.order()).toMatchObject({ state: "CANCELLED", cancelCause: "NOT_PAID_IN_TIME" });
    expect(it.asked.at(-1)).toBe("release");
  });

  test("goes on from what the order has become when somebody else was faster", async () => {
    const it = shop({});
    it.contend(2);
    await it.run();
    expect(it.state()).toBe("CONFIRMED");
    expect(it.order().version).toBe(3);
  });

  test("gives up for now when others are always faster", async () => {
    const it = shop({});
    it.contend(100);
    await expect(it.run()).rejects.toThrow("changed meanwhile");
  });

  test("a saga whose order is done finds nothing to do", async () => {
    const it = shop({});
    await it.run();
    it.asked.length = 0;
    await it.run();
    expect(it.asked).toEqual([]);
    expect(it.finished()).toBe(true);
  });
});
