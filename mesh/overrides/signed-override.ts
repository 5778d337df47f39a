import { type KeyObject, sign, verify, type X509Certificate } from "node:crypto";
import { fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { OverrideSchema, SignedOverrideSchema } from "../gen/weft/overrides/v1/override_pb.ts";
import type { Identified } from "../security/certificate-chain.ts";
import { overrideProblem } from "./override-problem.ts";

export type Override = MessageShape<typeof OverrideSchema>;

/** Of an override as it is kept; what is longer is not looked at. */
export const signedBytesMax = 65_536;

/** What the signature is over: nothing else that this key signs begins so. */
const prefix = Buffer.from("weft.overrides.v1\0");

/** An override that is not obeyed. */
export class OverrideRefused extends Error {
  override name = "OverrideRefused";
  /** What it says, if that can be told. */
  readonly says: Override | undefined;

  constructor(message: string, says?: Override, options?: ErrorOptions) {
    super(message, options);
    this.says = says;
  }
}

/** Signs an override with the operator's key. @param chain the operator's certificate, and those between it and the authority */
export function signOverride(override: Override, chain: readonly X509Certificate[], key: KeyObject): Uint8Array {
  const bytes = toBinary(OverrideSchema, override);
  const signature = sign(digestOf(key), Buffer.concat([prefix, bytes]), key);
  const certificates = chain.map(({ raw }) => new Uint8Array(raw));
  const signed = { $typeName: SignedOverrideSchema.typeName, override: bytes, certificates, signature };
  return toBinary(SignedOverrideSchema, signed);
}

export interface OverrideCheck {
  /** Who may sign: the operator's SPIFFE id. */
  readonly operator: string;
  readonly namespace: string;
  /** Finds who a certificate is of. @throws Error if it is nobody of the mesh */
  readonly identify: (chain: readonly Uint8Array[]) => Identified;
  readonly nowMs: number;
}

/**
 * Reads an override that anybody may have written.
 *
 * @param id under which it is kept
 * @throws OverrideRefused if it was not signed by the operator, makes no sense, is another's or has expired
 */
export function openOverride(id: string, bytes: Uint8Array, check: OverrideCheck): Override {
  if (bytes.length > signedBytesMax) throw new OverrideRefused(`it is longer than ${signedBytesMax} bytes`);
  const signed = decode(() => fromBinary(SignedOverrideSchema, bytes));
  const override = decode(() => fromBinary(OverrideSchema, signed.override));
  requireSignature(signed, override, check);
  const problem = overrideProblem(override, { id, namespace: check.namespace, nowMs: check.nowMs });
  if (problem !== undefined) throw new OverrideRefused(problem, override);
  return override;
}

function requireSignature(
  { certificates, signature, override: bytes }: MessageShape<typeof SignedOverrideSchema>,
  override: Override,
  { identify, operator }: OverrideCheck,
): void {
  if (signature.length === 0) throw new OverrideRefused("it is not signed", override);
  let signer: Identified;
  let right: boolean;
  try {
    signer = identify(certificates);
    right = verify(digestOf(signer.publicKey), Buffer.concat([prefix, bytes]), signer.publicKey, signature);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new OverrideRefused(`its signer is not known: ${reason}`, override, { cause });
  }
  if (signer.id !== operator) throw new OverrideRefused(`it is signed by ${signer.id}, not by ${operator}`, override);
  if (!right) throw new OverrideRefused("its signature is wrong", override);
}

function decode<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new OverrideRefused("it is no override", undefined, { cause });
  }
}

function digestOf({ asymmetricKeyType }: KeyObject): string | null {
  return asymmetricKeyType === "ed25519" ? null : "sha256";
}
