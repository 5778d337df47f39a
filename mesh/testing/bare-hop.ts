import { promisify } from "node:util";
import { Client, type handleUnaryCall, Server, type ServiceError } from "@grpc/grpc-js";
import type { Credentials } from "../security/credentials.ts";

export interface BareHopOptions {
  readonly credentials: Credentials;
  /** The service that it asks, and its address. */
  readonly next: { readonly service: string; readonly address: string };
  /** "package.Service/Method" of the unary methods that it passes on. */
  readonly methods: readonly string[];
  /** What its caller is told of a failure: by default what it was told itself. */
  readonly onError?: (error: ServiceError) => Partial<ServiceError>;
}

/** A service in the midst of a chain. */
export interface BareHop extends Disposable {
  readonly address: string;
}

/**
 * A service that knows nothing of Weft: grpc-js alone, with certificates of the mesh. It asks the next one with the headers and the deadline
 * that it got, as a service of another make does.
 */
export async function startBareHop(options: BareHopOptions): Promise<BareHop> {
  const { credentials, next, methods, onError = (error) => error } = options;
  const client = new Client(next.address, credentials.forClient(next.service), {
    "grpc.ssl_target_name_override": next.service,
  });
  const asIs = (bytes: Buffer): Buffer => bytes;
  const server = new Server();
  for (const method of methods) {
    const path = `/${method}`;
    const passOn: handleUnaryCall<Buffer, Buffer> = (call, callback) => {
      const deadline = call.getDeadline();
      client.makeUnaryRequest(path, asIs, asIs, call.request, call.metadata, { deadline }, (error, answer) => {
        if (error) callback(onError(error));
        else callback(null, answer);
      });
    };
    server.register(path, passOn, asIs, asIs, "unary");
  }
  const port = await promisify(server.bindAsync.bind(server))("127.0.0.1:0", credentials.forServer());
  return {
    address: `127.0.0.1:${port}`,
    [Symbol.dispose]() {
      client.close();
      server.forceShutdown();
    },
  };
}
