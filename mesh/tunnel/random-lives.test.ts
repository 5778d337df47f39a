import { Code } from "@connectrpc/connect";
import fc from "fast-check";
import { expect, test } from "vitest";
import { rpcError } from "../contract/errors.ts";
import { openTestTunnel, TestCall, type TestServed, type TestTunnel } from "./testing-ends.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** What may happen to a tunnel, in any order. */
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant("send"), bytes: fc.constantFrom(0, 10, 100, 65_536) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("cancel"), which: fc.nat(50) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom("answer", "fail", "answer large"), which: fc.nat(50) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("turn") }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("stop reading", "read") }) },
);
const ending = fc.constantFrom("client drains", "server drains", "client closes", "server closes", "cut");
type Step = { do: string; bytes?: number; which?: number };

/** A tunnel's life: what was sent, what is held by the server, and what the test knows of each. */
class Life {
  readonly tunnel: TestTunnel;
  readonly calls: TestCall[] = [];
  readonly cancelled = new Set<TestCall>();
  readonly held: TestServed[];

  constructor(tunnel: TestTunnel, held: TestServed[]) {
    this.tunnel = tunnel;
    this.held = held;
  }

  async take(step: Step): Promise<void> {
    const { client, streams } = this.tunnel;
    if (step.do === "turn") await turn();
    else if (step.do === "send") this.send(step.bytes ?? 0);
    else if (step.do === "cancel") {
      const call = this.calls[(step.which ?? 0) % Math.max(1, this.calls.length)];
      if (call === undefined) return;
      if (call.told === 0) this.cancelled.add(call);
      client.cancel(call);
    } else if (step.do === "stop reading") streams.client.pause();
    else if (step.do === "read") streams.client.resume();
    else {
      const [served] = this.held.splice((step.which ?? 0) % Math.max(1, this.held.length), 1);
      if (served) this.answer(served, step.do);
    }
  }

  send(bytes: number): void {
    const call = new TestCall({ text: `${this.calls.length} `.padEnd(bytes, "x") });
    if (this.tunnel.client.send(call)) this.calls.push(call);
  }

  answer(served: TestServed, how: string): void {
    const { server } = this.tunnel;
    if (how === "fail") server.fail(served, rpcError(Code.NotFound, served.text));
    else server.answer(served, Buffer.from(how === "answer" ? served.text : served.text.padEnd(200_000, "y")));
  }

  async end(how: string): Promise<void> {
    const { client, server, streams } = this.tunnel;
    if (how === "client drains") client.drain();
    else if (how === "server drains") server.drain();
    else if (how === "client closes") client.close();
    else if (how === "server closes") server.close();
    else streams.client.cut();
    streams.client.resume();
    for (let count = 0; count < 500 && client.state !== "closed"; count++) {
      for (const served of this.held.splice(0)) this.answer(served, "answer");
      await turn();
    }
    await turn();
  }
}

test("whatever happens, each call has one end, its own, and nothing is left", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), ending, async (steps, how) => {
      const held: TestServed[] = [];
      const tunnel = await openTestTunnel({ onCall: (call) => void held.push(call), framesMax: 4 });
      const life = new Life(tunnel, held);
      for (const each of steps) await life.take(each);
      await life.end(how);

      expect(tunnel.client.state).toBe("closed");
      expect([tunnel.client.outstanding, tunnel.client.bytesInFlight, tunnel.server.inHand]).toEqual([0, 0, 0]);
      expect(tunnel.told.filter((what) => what === "closed")).toHaveLength(1);
      expect(tunnel.told.filter((what) => what === "server closed")).toHaveLength(1);
      if (how.endsWith("drains")) expect(tunnel.closedWith).toEqual([undefined]);
      for (const call of life.calls) {
        expect(call.told).toBe(life.cancelled.has(call) ? 0 : 1);
        expect(call.tunnelId).toBe(-1);
        if (call.told === 0) continue;
        const own = Buffer.from(call.message).toString();
        const seen = await call.answer.then(
          ({ text }) => text,
          (error) => (error.code === Code.NotFound ? error.rawMessage : own),
        );
        // Messages of statuses are cut at 512 characters.
        expect(seen.slice(0, 400).replaceAll("y", "")).toBe(own.slice(0, 400));
      }
      for (const served of tunnel.served) expect([served.tunnelId, served.isCancelled <= 1]).toEqual([-1, true]);
    }),
    { numRuns: 200 },
  );
});
