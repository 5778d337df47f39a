import { Code } from "@connectrpc/connect";
import { rpcError } from "../contract/errors.ts";
import { CallHandlerContext } from "./handler-context.ts";
import type { InProcessCall, InProcessServer } from "./in-process-network.ts";
import { invokeStream, invokeUnary } from "./invoke.ts";
import type { IncomingCall, ServerPipeline } from "./pipeline.ts";
import type { Route } from "./routes.ts";

/** Answers calls from the same process through the same pipeline as those from the wire. */
export function createInProcessServer(routes: ReadonlyMap<string, Route>, pipeline: ServerPipeline): InProcessServer {
  const find = (call: InProcessCall): { route: Route; incoming: IncomingCall } => {
    const path = `${call.method.parent.typeName}/${call.method.name}`;
    const route = routes.get(path);
    if (route === undefined) throw rpcError(Code.Unimplemented, `this service has no method ${path}`);
    return { route, incoming: { ...call, header: (name) => call.headers.get(name), policy: route.policy } };
  };
  return {
    async unary(call, input) {
      const { route, incoming } = find(call);
      let context: CallHandlerContext | undefined;
      const message = await pipeline.unary(
        incoming,
        () => input,
        (received, ambient) => {
          context = new CallHandlerContext(route.method, call, ambient);
          return invokeUnary(route.spec, received, context);
        },
      );
      return { message, header: context?.sentHeader ?? new Headers(), trailer: context?.sentTrailer ?? new Headers() };
    },
    stream(call, inputs) {
      const { route, incoming } = find(call);
      return pipeline.stream(incoming, inputs, (received, ambient) =>
        invokeStream(route.spec, received, new CallHandlerContext(route.method, call, ambient)),
      );
    },
  };
}
