import type { Transport } from "@connectrpc/connect";
import type { CalledMethods } from "./called-method.ts";
import { streamCall } from "./stream-call.ts";
import { type ClientPipeline, UnaryCall } from "./unary-call.ts";

/** Creates Connect's Transport to one service. */
export function createMeshTransport(pipeline: ClientPipeline, methods: CalledMethods): Transport {
  return {
    unary(method, signal, timeoutMs, headers, input, _contextValues) {
      // No async function: it would make two promises more for each call.
      try {
        return new UnaryCall(pipeline, methods(method), method, { signal, timeoutMs, headers }).run(input);
      } catch (error) {
        return Promise.reject(error);
      }
    },
    async stream(method, signal, timeoutMs, headers, input, _contextValues) {
      return await streamCall(pipeline, methods(method), method, { signal, timeoutMs, headers }, input);
    },
  };
}
