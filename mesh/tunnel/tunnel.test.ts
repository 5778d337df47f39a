import { fromBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test, vi } from "vitest";
import { errorReason, mayHaveRunReason, notRunReason, rpcError } from "../contract/errors.ts";
import { forbidRetry, pushbackMs } from "../contract/pushback.ts";
import { ClientFrameSchema } from "../gen/weft/tunnel/v1/tunnel_pb.ts";
import { callsMax, flushCallsMax, requestBytesInFlightMax, requestBytesMax, stallTimeoutMs } from "./limits.ts";
import { openTestTunnel, TestCall, type TestServed } from "./testing-ends.ts";

async function failureOf(promise: Promise<unknown>): Promise<ConnectError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ConnectError)) throw new Error(`no failure: ${error}`);
  return error;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("a tunnel", () => {
  test("carries calls, their answers and all that comes with them", async () => {
    const tunnel = await openTestTunnel({
      onCall: (call, server) => server.answer(call, Buffer.from(call.text), ["a", "1"], ["b", "2", "b", "3"]),
      clock: { now: () => 0, monotonic: () => 42 },
    });
    const call = tunnel.send({
      text: "hi",
      timeoutMs: 300,
      metadata: ["weft-end-user", "user=u", "x", ""],
      attempt: 2,
      criticality: 1,
      trace: [-1, 2, -3, 4, -5, 6, 255],
    });
    expect(await call.answer).toMatchObject({
      text: "hi",
      header: ["a", "1"],
      trailer: ["b", "2", "b", "3"],
      large: false,
      receivedAtMs: 42,
    });
    expect(tunnel.served[0]).toMatchObject({
      path: "test.v1.Echo/Say",
      received: {
        timeoutMs: 300,
        metadata: ["weft-end-user", "user=u", "x", ""],
        attempt: 2,
        criticality: 1,
        receivedAtMs: 42,
        ...{ trace0: -1, trace1: 2, trace2: -3, trace3: 4, span0: -5, span1: 6, traceFlags: 255 },
      },
    });
    expect(call.tunnelId).toBe(-1);
  });

  test("carries a failure with its details", async () => {
    const tunnel = await openTestTunnel({
      onCall: (call, server) =>
        server.fail(call, rpcError(Code.NotFound, "no such thing", { reason: "GONE", retryDelayMs: 20 })),
    });
    const error = await failureOf(tunnel.send().answer);
    expect([error.code, error.rawMessage, errorReason(error)]).toEqual([Code.NotFound, "no such thing", "GONE"]);
  });

  test("carries a failure's word on whether to try again", async () => {
    const failed = rpcError(Code.Unavailable, "repeated in vain");
    forbidRetry(failed);
    const tunnel = await openTestTunnel({ onCall: (call, server) => server.fail(call, failed) });
    expect(pushbackMs(await failureOf(tunnel.send().answer))).toBe(Number.POSITIVE_INFINITY);
  });

  test("has no more than its calls in flight", async () => {
    const tunnel = await openTestTunnel({ onCall: () => undefined });
    const calls = Array.from({ length: callsMax }, () => tunnel.send());
    expect(tunnel.client.send(new TestCall())).toBe(false);
    expect(tunnel.client.outstanding).toBe(callsMax);
    await expect.poll(() => tunnel.server.inHand).toBe(callsMax);
    for (const call of tunnel.served) tunnel.server.answer(call, Buffer.from("x"));
    await Promise.all(calls.map(({ answer }) => answer));
    expect([tunnel.client.outstanding, tunnel.client.bytesInFlight, tunnel.server.inHand]).toEqual([0, 0, 0]);
    expect(tunnel.client.send(new TestCall())).toBe(true);
  });

  test("has no more than its bytes in flight, and takes no message above its bound", async () => {
    const tunnel = await openTestTunnel({ onCall: () => undefined });
    const message = new Uint8Array(requestBytesMax);
    for (let sum = 0; sum < requestBytesInFlightMax; sum += requestBytesMax) tunnel.send({ message });
    expect(tunnel.client.bytesInFlight).toBe(requestBytesInFlightMax);
    expect(tunnel.client.send(new TestCall({ text: "x" }))).toBe(false);
    expect(tunnel.client.send(new TestCall({ text: "" }))).toBe(true);
    await expect.poll(() => tunnel.served.length).toBe(requestBytesInFlightMax / requestBytesMax + 1);
    const other = await openTestTunnel();
    expect(other.client.send(new TestCall({ message: new Uint8Array(requestBytesMax + 1) }))).toBe(false);
    expect(other.client.outstanding).toBe(0);
  });

  test("sends what one turn of the event loop has asked for in one frame, 32 calls at once", async () => {
    const tunnel = await openTestTunnel();
    const { server, client } = tunnel.streams;
    const framesBefore = server.received.length;
    await Promise.all(Array.from({ length: flushCallsMax - 1 }, () => tunnel.send().answer));
    expect(server.received.length - framesBefore).toBe(1);
    expect(client.received.length).toBe(2);
    await Promise.all(Array.from({ length: 2 * flushCallsMax + 1 }, () => tunnel.send().answer));
    expect(server.received.length - framesBefore).toBe(4);
  });

  test("numbers a method once", async () => {
    const tunnel = await openTestTunnel();
    const paths = ["test.v1.A/One", "test.v1.A/Two", "test.v1.A/One"];
    for (const path of paths) await tunnel.send({ path }).answer;
    expect(tunnel.served.map(({ path }) => path)).toEqual(paths);
    const bytes = Buffer.concat(tunnel.streams.server.received).toString("latin1");
    expect(bytes.split("test.v1.A/One")).toHaveLength(2);
  });

  test("answers a method that there is not with UNIMPLEMENTED", async () => {
    const tunnel = await openTestTunnel();
    const error = await failureOf(tunnel.send({ path: "other.v1.Service/Method" }).answer);
    expect(error.code).toBe(Code.Unimplemented);
    expect(await tunnel.send().answer).toMatchObject({ text: "hello" });
  });

  test("refuses metadata that gRPC could not carry, and goes on", async () => {
    const tunnel = await openTestTunnel();
    const call = new TestCall({ metadata: ["Name", "value"] });
    expect(() => tunnel.client.send(call)).toThrow("no name");
    expect([call.tunnelId, tunnel.client.outstanding]).toEqual([-1, 0]);
    expect(await tunnel.send().answer).toMatchObject({ text: "hello" });
  });

  test("lets an answer with broken metadata be answered again", async () => {
    const tunnel = await openTestTunnel({
      onCall(call, server) {
        try {
          server.answer(call, Buffer.from("x"), ["ä", "x"]);
        } catch (error) {
          server.fail(call, ConnectError.from(error));
        }
      },
    });
    expect((await failureOf(tunnel.send().answer)).code).toBe(Code.Internal);
  });
});

describe("a large answer", () => {
  const large = Buffer.alloc(1_000_000, "x");

  test("comes in parts, and lets others pass", async () => {
    const tunnel = await openTestTunnel({
      onCall: (call, server) => server.answer(call, call.text === "large" ? large : Buffer.from("small"), ["a", "1"]),
    });
    const order: string[] = [];
    const calls = ["large", "small"].map((text) =>
      tunnel.send({ text }).answer.then((answer) => {
        order.push(text);
        return answer;
      }),
    );
    const [first, second] = await Promise.all(calls);
    expect(order).toEqual(["small", "large"]);
    expect(first?.large).toBe(true);
    expect(first?.header).toEqual(["a", "1"]);
    expect(large.equals(first?.message ?? Buffer.alloc(0))).toBe(true);
    expect(second?.large).toBe(false);
    for (const frame of tunnel.streams.client.received) expect(frame.length).toBeLessThan(70_000);
  });

  test("above 4 MiB is RESOURCE_EXHAUSTED", async () => {
    const tunnel = await openTestTunnel({
      onCall: (call, server) => server.answer(call, Buffer.alloc(4 * 1024 * 1024 + 1)),
    });
    expect((await failureOf(tunnel.send().answer)).code).toBe(Code.ResourceExhausted);
    expect(tunnel.server.inHand).toBe(0);
  });

  test("that nobody waits for any more is thrown away", async () => {
    const tunnel = await openTestTunnel({ onCall: (call, server) => server.answer(call, large) });
    const call = tunnel.send();
    while (tunnel.streams.client.received.length < 3) await turn();
    tunnel.client.cancel(call);
    await expect.poll(() => tunnel.client.outstanding).toBe(0);
    expect(call.told).toBe(0);
  });
});

describe("a cancelled call", () => {
  test("tells the server, and hears nothing more", async () => {
    const tunnel = await openTestTunnel({ onCall: () => undefined });
    const call = tunnel.send();
    await expect.poll(() => tunnel.served.length).toBe(1);
    tunnel.client.cancel(call);
    tunnel.client.cancel(call);
    await expect.poll(() => tunnel.client.outstanding).toBe(0);
    const served = tunnel.served[0] as TestServed;
    expect([served.isCancelled, served.tunnelId, call.told]).toEqual([1, -1, 0]);
    tunnel.server.answer(served, Buffer.from("late"));
    expect(tunnel.told).toEqual(["opened"]);
  });

  test("in the turn in which it was sent runs at most for a moment", async () => {
    const tunnel = await openTestTunnel({ onCall: () => undefined });
    tunnel.client.cancel(tunnel.send());
    await expect.poll(() => tunnel.client.outstanding).toBe(0);
    expect(tunnel.server.inHand).toBe(0);
  });

  test("whose answer crosses the cancel leaves its id to no wrong call", async () => {
    const tunnel = await openTestTunnel();
    for (let round = 0; round < 200; round++) {
      const crossed = tunnel.send({ text: "old" });
      await turn();
      tunnel.client.cancel(crossed);
      const next = tunnel.send({ text: `new ${round}` });
      expect(await next.answer).toMatchObject({ text: `new ${round}` });
    }
    expect(tunnel.told).toEqual(["opened"]);
  });
});

test("no frame cancels an id and uses it again: generated code would not know which came first", async () => {
  const held: TestServed[] = [];
  const tunnel = await openTestTunnel({ onCall: (call) => void held.push(call) });
  const [cancelled, other] = [tunnel.send({ text: "cancelled" }), tunnel.send({ text: "other" })];
  while (held.length < 2) await turn();
  const later: TestCall[] = [];
  other.answered = () => later.push(tunnel.send({ text: "later" }), tunnel.send({ text: "later" }));
  for (const call of held) tunnel.server.answer(call, Buffer.from("x"));
  tunnel.client.cancel(cancelled);
  while (held.length < 4) await turn();
  const frames = tunnel.streams.server.received.map((frame) => fromBinary(ClientFrameSchema, frame));
  expect(frames.flatMap(({ cancels }) => cancels)).toEqual([0]);
  for (const { calls, cancels } of frames) expect(calls.filter(({ id }) => cancels.includes(id))).toEqual([]);
});

describe("draining", () => {
  test("by the server refuses new calls, finishes the old and ends well", async () => {
    const tunnel = await openTestTunnel({ onCall: () => undefined });
    const old = tunnel.send({ text: "old" });
    await expect.poll(() => tunnel.served.length).toBe(1);
    tunnel.server.drain();
    const crossing = tunnel.send();
    await expect.poll(() => tunnel.client.state).toBe("draining");
    const error = await failureOf(crossing.answer);
    expect([error.code, errorReason(error)]).toEqual([Code.Unavailable, notRunReason]);
    expect(tunnel.client.send(new TestCall())).toBe(false);
    tunnel.server.answer(tunnel.served[0] as TestServed, Buffer.from("done"));
    expect(await old.answer).toMatchObject({ text: "done" });
    await expect.poll(() => tunnel.told).toEqual(["opened", "draining", "server closed", "closed"]);
    expect(tunnel.closedWith).toEqual([undefined]);
  });

  test("by the client finishes the old calls and ends well", async () => {
    const tunnel = await openTestTunnel();
    const old = tunnel.send();
    tunnel.client.drain();
    expect(tunnel.client.send(new TestCall())).toBe(false);
    expect(await old.answer).toMatchObject({ text: "hello" });
    await expect.poll(() => tunnel.told).toEqual(["opened", "server closed", "closed"]);
    expect(tunnel.closedWith).toEqual([undefined]);
  });

  test("waits for the last part of a large answer", async () => {
    const tunnel = await openTestTunnel({ onCall: (call, server) => server.answer(call, Buffer.alloc(500_000)) });
    const old = tunnel.send();
    tunnel.client.drain();
    expect((await old.answer).message.length).toBe(500_000);
    await expect.poll(() => tunnel.client.state).toBe("closed");
    expect(tunnel.closedWith).toEqual([undefined]);
  });
});

describe("a tunnel that breaks", () => {
  test("tells calls that had not left that they have not run, others that they may have", async () => {
    const tunnel = await openTestTunnel({ onCall: () => undefined });
    const left = tunnel.send();
    await expect.poll(() => tunnel.served.length).toBe(1);
    const waiting = tunnel.send();
    tunnel.client.close();
    const [first, second] = await Promise.all([failureOf(left.answer), failureOf(waiting.answer)]);
    expect([first.code, errorReason(first)]).toEqual([Code.Unavailable, mayHaveRunReason]);
    expect([second.code, errorReason(second)]).toEqual([Code.Unavailable, notRunReason]);
    expect([left.told, waiting.told, tunnel.client.outstanding]).toEqual([1, 1, 0]);
    expect(tunnel.closedWith).toEqual([undefined]);
    await expect.poll(() => tunnel.served[0]?.isCancelled).toBe(1);
    expect(tunnel.client.send(new TestCall())).toBe(false);
  });

  test("by the server's end tells why", async () => {
    const tunnel = await openTestTunnel({ onCall: () => undefined });
    const call = tunnel.send();
    await expect.poll(() => tunnel.served.length).toBe(1);
    tunnel.server.close(rpcError(Code.Unavailable, "too old a connection"));
    const error = await failureOf(call.answer);
    expect(error.rawMessage).toContain("too old a connection");
    await expect.poll(() => tunnel.closedWith[0]?.rawMessage).toBe("too old a connection");
    expect(tunnel.served[0]?.isCancelled).toBe(1);
  });

  test("by a fault of the server's own tells nobody which, but the server itself", async () => {
    const fault = new Error("secret");
    const tunnel = await openTestTunnel({
      onCall() {
        throw fault;
      },
    });
    const error = await failureOf(tunnel.send().answer);
    expect(error.rawMessage).toContain("internal error");
    expect(tunnel.serverClosedWith[0]?.cause).toBe(fault);
  });

  test("within an answer's hearing leaves nobody untold", async () => {
    const tunnel = await openTestTunnel();
    const calls = [tunnel.send(), tunnel.send(), tunnel.send()];
    const [first, ...others] = calls as [TestCall, TestCall, TestCall];
    first.answered = () => tunnel.client.close();
    await Promise.allSettled(others.map(({ answer }) => answer));
    expect(others.map(({ told }) => told)).toEqual([1, 1]);
    expect(tunnel.told.filter((what) => what === "closed")).toHaveLength(1);
  });
});

describe("a client that does not read", () => {
  test("is not read either, and goes on where it stopped", async () => {
    const tunnel = await openTestTunnel({ framesMax: 1 });
    tunnel.streams.client.pause();
    const calls = [tunnel.send()];
    await expect.poll(() => tunnel.streams.server.isPaused).toBe(true);
    calls.push(tunnel.send());
    await turn();
    expect(tunnel.served).toHaveLength(1);
    tunnel.streams.client.resume();
    await Promise.all(calls.map(({ answer }) => answer));
    expect(tunnel.streams.server.isPaused).toBe(false);
  });

  test("gets no more than so many bytes kept for it", async () => {
    const held: TestServed[] = [];
    const tunnel = await openTestTunnel({ framesMax: 1, onCall: (call) => void held.push(call) });
    const calls = Array.from({ length: 30 }, () => tunnel.send());
    await expect.poll(() => held.length).toBe(30);
    tunnel.streams.client.pause();
    for (const call of held) tunnel.server.answer(call, Buffer.alloc(4 * 1024 * 1024));
    await turn();
    tunnel.streams.client.resume();
    const codes = await Promise.all(
      calls.map(({ answer }) =>
        answer.then(
          () => 0,
          (error) => error.code,
        ),
      ),
    );
    expect(codes.filter((code) => code === 0)).toHaveLength(16);
    expect(codes.filter((code) => code === Code.ResourceExhausted)).toHaveLength(14);
  });

  test("loses its tunnel when it has read nothing for 30 s", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const tunnel = await openTestTunnel({
        framesMax: 1,
        onCall: (call, server) => call.text === "hello" && server.answer(call, Buffer.from("x")),
      });
      const waiting = tunnel.send({ text: "waits" });
      tunnel.streams.client.pause();
      tunnel.send();
      while (!tunnel.streams.server.isPaused) await turn();
      vi.advanceTimersByTime(stallTimeoutMs + 1);
      expect((await failureOf(waiting.answer)).code).toBe(Code.Unavailable);
      expect(tunnel.served[0]?.isCancelled).toBe(1);
      expect(tunnel.streams.server.endedWith).toBe("cut");
    } finally {
      vi.useRealTimers();
    }
  });
});
