import type { ConnectError } from "@connectrpc/connect";
import type { Attempt } from "./attempt.ts";
import type { CalledMethod } from "./called-method.ts";
import type { Endpoint } from "./endpoint.ts";

/** Chooses among the endpoints of one target. */
export interface Balancer {
  /** All endpoints that there are now. */
  update(endpoints: readonly Endpoint[]): void;
  /**
   * An endpoint whose breaker lets a call to the method through, undefined if there is none; another than the last one if there is one.
   */
  pick(method: CalledMethod, last?: Endpoint): Endpoint | undefined;
  /** Told of the end of each unary attempt, for what it says of its endpoint. */
  attemptEnded(attempt: Attempt, error: ConnectError | undefined): void;
}

/** Creates a balancer that takes turns. */
export function createRoundRobin(): Balancer {
  let endpoints: readonly Endpoint[] = [];
  let turn = 0;
  return {
    update(now) {
      endpoints = now;
    },
    pick(method, last) {
      let fallback: Endpoint | undefined;
      for (let step = 0; step < endpoints.length; step++) {
        const endpoint = endpoints[(turn + step) % endpoints.length];
        if (endpoint === undefined || !endpoint.breaker(method).admits()) continue;
        if (endpoint !== last) {
          turn = (turn + step + 1) % endpoints.length;
          return endpoint;
        }
        fallback = endpoint;
      }
      return fallback;
    },
    attemptEnded: () => undefined,
  };
}
