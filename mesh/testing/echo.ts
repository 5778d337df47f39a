import { setTimeout as wait } from "node:timers/promises";
import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import { currentCall, currentSignal, requireEndUser } from "../context/call-context.ts";
import { EchoService } from "../gen/weft/echo/v1/echo_pb.ts";

type EchoImpl = ServiceImpl<typeof EchoService>;

/** The echo service, with some methods replaced. */
export function echoRoutes(replaced: Partial<EchoImpl> = {}): (router: ConnectRouter) => void {
  return (router) => router.service(EchoService, { ...echo, ...replaced });
}

const echo: EchoImpl = {
  async echo({ text, delay }) {
    if (delay) {
      const ms = Number(delay.seconds) * 1000 + delay.nanos / 1e6;
      await wait(ms, undefined, { signal: currentSignal() });
    }
    return { text };
  },
  echoAgain: ({ text }) => ({ text, peer: currentCall()?.peer ?? "" }),
  echoHedged: ({ text }) => ({ text }),
  echoForUser: () => ({ userId: requireEndUser().userId }),
  async *repeat({ text, count }) {
    for (let index = 0; index < count; index++) yield { text };
  },
  async join(requests) {
    const texts: string[] = [];
    for await (const { text } of requests) texts.push(text);
    return { text: texts.join(" ") };
  },
  async *chat(requests) {
    for await (const { text } of requests) yield { text };
  },
};
