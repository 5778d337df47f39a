import {
  create,
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { type AnswerMetadata, Attempt } from "../client/attempt.ts";
import { createCalledMethods } from "../client/called-method.ts";
import { type Connector, createEndpoint, encodeMessage, type StreamRequest } from "../client/endpoint.ts";
import type { EndUser } from "../context/call-context.ts";
import { createBreaker } from "../resilience/breaker.ts";

/** A streaming call that carries nothing. */
export const plainRequest: StreamRequest = {
  headers: undefined,
  trace: undefined,
  deadlineMs: Number.POSITIVE_INFINITY,
  hurried: false,
  signal: undefined,
  endUser: undefined,
  baggage: undefined,
};

/** An answer to one attempt, with what came beside it. */
export interface Answered<O extends DescMessage> {
  readonly message: MessageShape<O>;
  readonly metadata: AnswerMetadata | undefined;
}

/** Makes one attempt of a unary call at an instance, without the client's pipeline around it. */
export function attemptOver<I extends DescMessage, O extends DescMessage>(
  connector: Connector,
  method: DescMethodUnary<I, O>,
  init: MessageInitShape<I>,
  limits: { readonly endUser?: EndUser; readonly deadlineMs?: number } = {},
): Promise<Answered<O>> {
  const called = createCalledMethods(() => ({ record: () => undefined }))(method);
  const endpoint = createEndpoint(
    { address: "under test" },
    () => connector,
    () => createBreaker(),
  );
  const input = create(method.input, init);
  return new Promise((resolve, reject) => {
    const call = {
      ...plainRequest,
      ...limits,
      called,
      input,
      attemptAbove: 1,
      criticality: undefined,
      encoded: () => encodeMessage(method.input, input),
      attemptSucceeded: (_: Attempt, message: unknown, metadata: AnswerMetadata | undefined) =>
        resolve({ message: message as MessageShape<O>, metadata }),
      attemptFailed: (_: Attempt, error: Error) => reject(error),
    };
    new Attempt(call, endpoint, 1, Date.now(), performance.now()).send();
  });
}
