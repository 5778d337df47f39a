import { Metadata } from "@grpc/grpc-js";
import { baggageHeader, withMembers } from "../context/baggage.ts";
import { endUserHeader, formatEndUser } from "../context/end-user-header.ts";
import { toMetadata } from "../contract/metadata.ts";
import type { StreamRequest } from "./endpoint.ts";
import { traceHeaders } from "./outgoing-call.ts";

/** What a call carries beside its messages. @param baggage what the chain of calls carries along; undefined for nothing */
export function metadataOf(
  { headers, trace, endUser }: Pick<StreamRequest, "headers" | "trace" | "endUser">,
  baggage: string | undefined,
): Metadata {
  const metadata = headers ? toMetadata(new Headers(headers)) : new Metadata();
  const traced = traceHeaders(trace);
  for (let index = 0; index < traced.length; index += 2) metadata.set(traced[index] ?? "", traced[index + 1] ?? "");
  if (endUser) metadata.set(endUserHeader, formatEndUser(endUser));
  if (baggage) metadata.set(baggageHeader, withMembers(metadata.get(baggageHeader)[0]?.toString(), baggage));
  return metadata;
}
