import { once } from "node:events";
import {
  type ChannelCredentials,
  Client,
  type ClientDuplexStream,
  connectivityState,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import { unreachableFailure } from "../failure.ts";

/** How long a connection may take, handshake included. */
const connectTimeoutMs = 5_000;

/** What one call sends beside its messages. */
export interface CallOptions {
  headers?: readonly (readonly [name: string, value: string])[];
  /** Without it the call has no deadline of its own. */
  timeoutMs?: number | undefined;
}

/** What came back beside the messages. */
export interface CallObserver {
  header?(headers: Metadata): void;
  trailer?(trailers: Metadata): void;
}

/** A connection to one service, calling any method with bytes: which types they are is not its business. */
export interface Channel extends Disposable {
  /**
   * Calls a method of any kind; on the wire a unary one is a stream of one message.
   *
   * @param path "/package.Service/Method"
   * @throws grpc-js's ServiceError, from the iteration
   */
  call(
    path: string,
    requests: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
    options?: CallOptions,
    observer?: CallObserver,
  ): AsyncIterable<Uint8Array>;
}

type Duplex = ClientDuplexStream<Uint8Array, Uint8Array>;

/**
 * Connects to a service and waits until the connection stands.
 *
 * @param service its name on the mesh, for the messages
 * @throws CliFailure with what went wrong on the way if it is not reached
 */
export async function openChannel(
  service: string,
  address: string,
  channelCredentials: ChannelCredentials,
): Promise<Channel> {
  const client = new Client(address, channelCredentials, {
    // An IP address is not allowed as a TLS server name, and the check is on the SPIFFE id anyway.
    "grpc.ssl_target_name_override": service,
    "grpc.service_config_disable_resolution": 1,
    "grpc.enable_retries": 0,
    "grpc.initial_reconnect_backoff_ms": 100,
  });
  try {
    await connected(client, service, address);
  } catch (error) {
    client.close();
    throw error;
  }
  return {
    call: (path, requests, options = {}, observer = {}) => callStream(client, path, requests, options, observer),
    [Symbol.dispose]: () => client.close(),
  };
}

async function connected(client: Client, service: string, address: string): Promise<void> {
  const channel = client.getChannel();
  const deadline = Date.now() + connectTimeoutMs;
  for (;;) {
    const state = channel.getConnectivityState(true);
    if (state === connectivityState.READY) return;
    if (state === connectivityState.TRANSIENT_FAILURE) throw unreachable(service, address, await whyNot(client));
    const changed = await new Promise<boolean>((resolve) =>
      channel.watchConnectivityState(state, deadline, (error) => resolve(error === undefined)),
    );
    if (!changed) throw unreachable(service, address, new Error(`no connection within ${connectTimeoutMs / 1000} s`));
  }
}

/** The channel does not tell why it failed, but a call on it does. */
async function whyNot(client: Client): Promise<Error> {
  return await new Promise((resolve) => {
    const pass = (bytes: Uint8Array) => Buffer.from(bytes);
    client.makeUnaryRequest("/grpc.health.v1.Health/Check", pass, pass, new Uint8Array(), new Metadata(), (error) =>
      resolve(error === null ? new Error("the connection was lost at once") : new Error(reasonOf(error))),
    );
  });
}

function reasonOf(error: ServiceError): string {
  return /Last error: (?:Error: )?(.*?)(?:\. Resolution note:.*)?$/s.exec(error.details)?.[1] ?? error.details;
}

function unreachable(service: string, address: string, cause: Error) {
  return unreachableFailure(
    `cannot reach ${service} at ${address}: ${cause.message}`,
    "is the stack up? `make up` starts it; --addr host:port reaches a service elsewhere",
    cause,
  );
}

async function* callStream(
  client: Client,
  path: string,
  requests: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  options: CallOptions,
  observer: CallObserver,
): AsyncGenerator<Uint8Array> {
  const metadata = new Metadata();
  for (const [name, value] of options.headers ?? []) metadata.add(name, value);
  const stream: Duplex = client.makeBidiStreamRequest(
    path,
    (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    (bytes: Buffer) => bytes,
    metadata,
    options.timeoutMs === undefined ? {} : { deadline: Date.now() + options.timeoutMs },
  );
  if (observer.header !== undefined) stream.on("metadata", observer.header);
  if (observer.trailer !== undefined) stream.on("status", ({ metadata: trailers }) => observer.trailer?.(trailers));
  let unsent: { reason: unknown } | undefined;
  send(stream, requests).catch((reason: unknown) => {
    unsent = { reason };
    stream.cancel();
  });
  try {
    for await (const message of stream) yield message as Uint8Array;
  } catch (error) {
    // A request that could not be read, being no JSON for instance, says more than the cancellation that it caused.
    throw unsent === undefined ? error : unsent.reason;
  } finally {
    stream.cancel();
  }
}

/** Sends the requests as fast as the peer takes them. Rejects only with what reading them threw. */
async function send(stream: Duplex, requests: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
  for await (const request of requests) {
    if (stream.destroyed) return;
    if (!stream.write(request)) await once(stream, "drain").catch(() => undefined);
  }
  stream.end();
}
