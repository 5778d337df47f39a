import type { ConnectError } from "@connectrpc/connect";
import { verdictOf } from "../resilience/breaker.ts";
import type { Balancer } from "./balancer.ts";
import type { CalledMethod } from "./called-method.ts";
import type { Endpoint } from "./endpoint.ts";

/** A streaming call at one endpoint, for those who learn from it: the method's breaker there, and the balancer. */
export interface StreamUnderWay {
  readonly endpoint: Endpoint;
  opened(): void;
  /** Once. */
  ended(error: ConnectError | undefined, hurried: boolean): void;
}

/** Begins a stream at an endpoint that the balancer has chosen. @param monotonic the time, in milliseconds */
export function createStreamUnderWay(
  balancer: Balancer<Endpoint, CalledMethod>,
  endpoint: Endpoint,
  method: CalledMethod,
  startedAtMs: number,
  monotonic: () => number,
): StreamUnderWay {
  const trial = endpoint.breaker(method).begin("streaming");
  endpoint.began(startedAtMs);
  let isOpen = false;
  return {
    endpoint,
    opened() {
      isOpen = true;
      trial.opened();
      balancer.opened(endpoint, monotonic(), startedAtMs);
    },
    ended(error, hurried) {
      trial.ended(error, hurried);
      endpoint.ended();
      if (isOpen) balancer.closed(endpoint);
      else {
        const verdict = error === undefined ? "well" : verdictOf(error, hurried);
        balancer.ended(endpoint, monotonic(), startedAtMs, verdict);
      }
    },
  };
}
