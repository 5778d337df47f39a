import { type DescMessage, type DescMethod, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import type { ChannelCredentials, ClientDuplexStream, Metadata, StatusObject } from "@grpc/grpc-js";
import { CancelSource } from "../context/cancel-source.ts";
import { cancellable } from "../context/cancellable.ts";
import { type Clock, systemClock } from "../contract/clock.ts";
import { rpcError } from "../contract/errors.ts";
import { toHeaders } from "../contract/metadata.ts";
import { asConnectError } from "./attempt.ts";
import { type Connector, encodeMessage } from "./endpoint.ts";
import { openGrpcClient } from "./grpc-client.ts";
import { createConnections } from "./grpc-connections.ts";
import { grpcError } from "./grpc-errors.ts";
import { isServing } from "./grpc-health.ts";
import { metadataOf } from "./grpc-metadata.ts";
import { sendUnary } from "./grpc-unary.ts";

/**
 * Calls an instance of a service over plain gRPC (grpc-js).
 *
 * @param service the called service's name: what the server's certificate must prove
 */
export function createGrpcConnector(
  address: string,
  service: string,
  credentials: ChannelCredentials,
  clock: Clock = systemClock,
): Connector {
  const connections = createConnections(() => openGrpcClient(address, service, credentials), clock);
  return {
    unary(attempt) {
      try {
        sendUnary(attempt, connections, clock);
      } catch (error) {
        attempt.failed(asConnectError(error));
      }
    },
    async stream(method, inputs, request) {
      const metadata = metadataOf(request, request.baggage);
      const connection = connections.take();
      const call = connection.client.makeBidiStreamRequest(
        pathOf(method),
        asIs,
        (buffer) => fromBinary(method.output, buffer),
        metadata,
        { deadline: request.deadlineMs },
      );
      const unlink = cancelOn(request.signal, call);
      const trailer = new Headers();
      call.on("status", (status: StatusObject) => {
        unlink();
        connection.release();
        for (const [key, value] of toHeaders(status.metadata)) trailer.append(key, value);
      });
      const opened = opening(call, request.signal);
      send(call, method.input, inputs).catch((cause: unknown) => {
        call.destroy(rpcError(Code.Canceled, "the messages of this call failed", { cause }));
        call.cancel();
      });
      return { header: await opened, trailer, message: receive(call, request.signal) };
    },
    async isWell(timeoutMs) {
      const connection = connections.take();
      try {
        return await isServing(connection.client, clock.now() + timeoutMs);
      } finally {
        connection.release();
      }
    },
    close: () => connections.close(),
  };
}

/** The response's headers; fails if the call fails before they come. */
function opening<O>(call: ClientDuplexStream<Buffer, O>, signal: AbortSignal | undefined): Promise<Headers> {
  return new Promise((resolve, reject) => {
    call.once("metadata", (metadata: Metadata) => resolve(toHeaders(metadata)));
    // A server that has nothing to say may send no headers at all.
    call.once("status", ({ code }: StatusObject) => (code === 0 ? resolve(new Headers()) : undefined));
    // Stays for the life of the call: without a listener an error that nobody reads would end the process.
    call.on("error", (error) => reject(grpcError(error, signal)));
  });
}

async function send<I extends DescMessage, O>(
  call: ClientDuplexStream<Buffer, O>,
  schema: I,
  inputs: AsyncIterable<MessageShape<I>>,
): Promise<void> {
  const over = new CancelSource();
  const end = (): void => over.cancel(callIsOver);
  call.once("status", end).once("error", end).once("close", end);
  let resume: (() => void) | undefined;
  over.onCancel(() => resume?.());
  try {
    for await (const input of cancellable(inputs, over)) {
      if (call.write(encodeMessage(schema, input))) continue;
      await new Promise<void>((resolve) => {
        resume = resolve;
        call.once("drain", resolve);
        if (over.reason) resolve();
      });
    }
    call.end();
  } catch (error) {
    if (error !== callIsOver) throw error;
  }
}

/** Tells whoever still sends; nobody sees it. */
const callIsOver = new Error("the call is over");

async function* receive<O>(call: ClientDuplexStream<Buffer, O>, signal: AbortSignal | undefined): AsyncIterable<O> {
  let done = false;
  try {
    for await (const message of call) yield message;
    done = true;
  } catch (error) {
    done = true;
    throw grpcError(error, signal);
  } finally {
    // Whoever reads stopped before the end: the server is told.
    if (!done) call.cancel();
  }
}

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}

function cancelOn(signal: AbortSignal | undefined, call: { cancel(): void }): () => void {
  if (signal === undefined) return () => undefined;
  const cancel = (): void => call.cancel();
  if (signal.aborted) cancel();
  else signal.addEventListener("abort", cancel, { once: true });
  return () => signal.removeEventListener("abort", cancel);
}
