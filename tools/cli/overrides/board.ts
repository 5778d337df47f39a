import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { openOverrideBoard } from "@weft/mesh/discovery-nats";
import { OverrideSchema } from "@weft/mesh/gen/weft/overrides/v1/override_pb.js";
import { type Override, OverrideRefused, openOverride, signOverride } from "@weft/mesh/overrides";
import { loadCredentials, spiffeId, spiffeIdOf } from "@weft/mesh/security";
import { createTelemetry } from "@weft/mesh/telemetry";
import { loadAddressBook } from "../address-book.ts";
import { unreachableFailure, usageFailure } from "../failure.ts";
import type { CommonOptions } from "../options.ts";
import type { Io } from "../output.ts";

/** Where the overrides of which services are. */
export interface BoardOptions extends CommonOptions {
  nats?: string;
  namespace?: string;
}

/** An override on the board. */
export interface PostedOverride {
  readonly id: string;
  /** Undefined: nobody can tell what it says. */
  readonly override: Override | undefined;
  /** Why no process obeys it; undefined: those whose calls it is for do. */
  readonly ignoredBecause: string | undefined;
}

/** The board as the operator sees it. */
export interface Board extends AsyncDisposable {
  /** Signs an override and puts it where all processes see it. */
  post(override: Omit<MessageInitShape<typeof OverrideSchema>, "$typeName">): Promise<Override>;
  list(): Promise<PostedOverride[]>;
}

/** Opens the board with the operator's certificate. */
export async function openBoard(io: Io, options: BoardOptions): Promise<Board> {
  const book = await loadAddressBook(options.stack, io.workingDirectory);
  const { nats: url, namespace } = { ...book.registry, ...given(options) };
  const directory =
    options.certs === undefined ? join(book.certDirectory, "operator") : resolve(io.workingDirectory, options.certs);
  await using resources = new AsyncDisposableStack();
  const operator = await readOperator(directory, resources);
  const telemetry = resources.use(createTelemetry({ service: "weft", write: () => undefined }));
  const opening = openOverrideBoard({ url, namespace, telemetry });
  const board = resources.use(
    await opening.catch((error: unknown) => {
      throw unreachableFailure((error as Error).message, "is the stack up? --nats names another server", error);
    }),
  );
  const open = ({ id, signed }: { id: string; signed: Uint8Array }): PostedOverride => {
    const { identify } = operator.credentials;
    try {
      const check = { operator: operator.id, identify, namespace, nowMs: Date.now() };
      return { id, override: openOverride(id, signed, check), ignoredBecause: undefined };
    } catch (error) {
      if (!(error instanceof OverrideRefused)) throw error;
      return { id, override: error.says, ignoredBecause: error.message };
    }
  };
  const all = resources.move();
  return {
    async post(given) {
      const issuedAt = timestampFromMs(Date.now());
      const override = create(OverrideSchema, { author: io.user || "unknown", ...given, namespace, issuedAt });
      const signed = signOverride(override, operator.chain, operator.key);
      const { override: right, ignoredBecause } = open({ id: override.id, signed });
      if (right === undefined || ignoredBecause !== undefined) {
        throw usageFailure(`no process would obey this: ${ignoredBecause}`);
      }
      await board.put(override.id, signed);
      return right;
    },
    list: async () => (await board.list()).map(open),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

function given({ nats, namespace }: BoardOptions) {
  return { ...(nats !== undefined && { nats }), ...(namespace !== undefined && { namespace }) };
}

async function readOperator(directory: string, resources: AsyncDisposableStack) {
  try {
    const pem = await readFile(join(directory, "cert.pem"), "utf8");
    const chain = (pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map(
      (block) => new X509Certificate(block),
    );
    const key = createPrivateKey(await readFile(join(directory, "key.pem")));
    const trustDomain = URL.parse(spiffeIdOf(chain[0]?.subjectAltName) ?? "")?.host ?? "";
    const credentials = resources.use(await loadCredentials({ directory, trustDomain }));
    return { chain, key, credentials, id: spiffeId(trustDomain, "operator") };
  } catch (error) {
    throw unreachableFailure(
      `cannot use the operator's certificate in ${directory}: ${(error as Error).message}`,
      "`make up` makes it with the stack; --certs names another folder",
      error,
    );
  }
}
