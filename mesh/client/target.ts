import { Code } from "@connectrpc/connect";
import { rpcError } from "../contract/errors.ts";
import {
  type Breaker,
  type BreakerState,
  type BreakerStatus,
  breakerOpenReason,
  createBreaker,
} from "../resilience/breaker.ts";
import type { Endpoint } from "./endpoint.ts";

/** An endpoint that a call may go to, with the breaker of the called method there. */
export interface Pick {
  readonly endpoint: Endpoint;
  readonly breaker: Breaker;
}

/** A called service: its endpoints and their breakers. */
export interface Target {
  readonly name: string;
  /**
   * Chooses an endpoint in turn among those whose breaker lets a call to the method through; another than the last one
   * if there is one.
   *
   * @throws ConnectError UNAVAILABLE, reason BREAKER_OPEN, if there is none; CANCELLED once closed
   */
  pick(path: string, last?: Endpoint): Pick;
  breakers(): BreakerStatus[];
  close(): void;
}

export type OnBreakerChange = (status: BreakerStatus) => void;

/** Creates a target from the endpoints of one service; at least one. */
export function createTarget(name: string, endpoints: readonly Endpoint[], onChange: OnBreakerChange): Target {
  const breakers = new Map<Endpoint, Map<string, Breaker>>(endpoints.map((endpoint) => [endpoint, new Map()]));
  let turn = 0;
  let closed = false;

  const breakerOf = (endpoint: Endpoint, method: string): Breaker => {
    const own = breakers.get(endpoint);
    const known = own?.get(method);
    if (known) return known;
    const created = createBreaker((state: BreakerState) => {
      onChange({ target: name, endpoint: endpoint.address, method, state });
    });
    own?.set(method, created);
    return created;
  };

  return {
    name,
    pick(path, last) {
      if (closed) throw rpcError(Code.Canceled, `this process is ending: it calls ${name} no more`);
      let fallback: Pick | undefined;
      for (let step = 0; step < endpoints.length; step++) {
        const endpoint = endpoints[(turn + step) % endpoints.length];
        if (endpoint === undefined) continue;
        const breaker = breakerOf(endpoint, path);
        if (!breaker.admits()) continue;
        if (endpoint !== last) {
          turn = (turn + step + 1) % endpoints.length;
          return { endpoint, breaker };
        }
        fallback = { endpoint, breaker };
      }
      if (fallback) return fallback;
      throw rpcError(Code.Unavailable, `${name} keeps failing: calls to ${path} are held back until it is well`, {
        reason: breakerOpenReason,
        domain: "weft",
        metadata: { target: name, method: path },
      });
    },
    breakers: () =>
      [...breakers].flatMap(([endpoint, own]) =>
        [...own].map(([method, { state }]) => ({ target: name, endpoint: endpoint.address, method, state })),
      ),
    close() {
      closed = true;
      for (const endpoint of endpoints) endpoint.close();
    },
  };
}
