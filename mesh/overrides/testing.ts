import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { openCertificateAuthority } from "../../tools/dev/certificates.ts";
import { OverrideSchema } from "../gen/weft/overrides/v1/override_pb.ts";
import { loadCredentials } from "../security/credentials.ts";
import { type Override, signOverride } from "./signed-override.ts";

type Changes = Partial<MessageInitShape<typeof OverrideSchema>>;

/** An authority, a process of its mesh, and others who sign overrides. */
export async function startSigners() {
  await using resources = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "weft-overrides-"));
  resources.defer(() => rm(directory, { recursive: true, force: true }));
  const authority = await openCertificateAuthority({ directory, trustDomain: "test.local" });
  await authority.issue("edge");
  const credentials = resources.use(
    await loadCredentials({ directory: join(directory, "edge"), trustDomain: "test.local" }),
  );
  const signer = async (name: string, issuer = authority, from = directory) => {
    await issuer.ensure(name);
    const read = (file: string) => readFile(join(from, name, file));
    const chain = [new X509Certificate(await read("cert.pem"))];
    const key = createPrivateKey(await read("key.pem"));
    return (override: Override) => signOverride(override, chain, key);
  };
  const strangers = join(directory, "strangers");
  const stranger = await openCertificateAuthority({ directory: strangers, trustDomain: "test.local" });
  const all = resources.move();
  return {
    directory,
    credentials,
    asOperator: await signer("operator"),
    asService: await signer("order"),
    asStranger: await signer("operator", stranger, strangers),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** An override of the calls to catalog, issued at a moment and good for an hour, with parts of it changed. */
export function overrideAt(nowMs: number, changes: Changes = {}): Override {
  const override = {
    namespace: "shop",
    id: "transport.catalog",
    author: "ada",
    reason: "a test",
    target: "catalog",
    effect: { case: "transport", value: 3 },
    issuedAt: timestampFromMs(nowMs),
    expiresAt: timestampFromMs(nowMs + 3_600_000),
    ...changes,
  };
  return create(OverrideSchema, override as MessageInitShape<typeof OverrideSchema>);
}
