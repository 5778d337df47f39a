import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { repositoryRoot } from "../check/check.ts";
import { openCertificateAuthority } from "../dev/certificates.ts";
import { layOut, newestRelease, type ReleaseTree } from "./releases.ts";

const trustDomain = "skew.local";

/** What a caller of any release is to see of a server of any release. */
const expected = {
  said: "hello",
  peer: `spiffe://${trustDomain}/caller`,
  large: true,
  many: true,
  streamed: ["r", "r", "r"],
  stranger: "Unauthenticated",
  invalid: ["text"],
  late: "DeadlineExceeded",
  cancelled: "Canceled",
  after: "still here",
};

// Until a release is tagged, the other side is the last commit: this shows that the test works, and nothing of releases. What the wire
// was at first is kept in mesh/tunnel/recorded.
const release = (await newestRelease(repositoryRoot)) ?? "HEAD";
const pairs = [
  [release, "this version"],
  ["this version", release],
] as const;

describe.each(pairs)("%s as client of %s", (client, server) => {
  let certificates: string;
  let other: ReleaseTree;
  beforeAll(async () => {
    certificates = await mkdtemp(join(tmpdir(), "weft-skew-certificates-"));
    const authority = await openCertificateAuthority({ directory: certificates, trustDomain });
    for (const name of ["echo", "caller"]) await authority.issue(name);
    other = await layOut(repositoryRoot, release);
  });
  afterAll(async () => {
    await other[Symbol.asyncDispose]();
    await rm(certificates, { recursive: true, force: true });
  });
  const rootOf = (version: string): string => (version === "this version" ? repositoryRoot : other.root);

  test("sees all calls do what they are to do, over tunnels and over plain gRPC", async () => {
    await using served = startPeer(rootOf(server), ["serve", join(certificates, "echo")]);
    const port = await firstLine(served.process);
    await using called = startPeer(rootOf(client), ["call", join(certificates, "caller"), `127.0.0.1:${port}`]);
    const outcomes = JSON.parse(await firstLine(called.process));
    expect(outcomes).toEqual({ auto: expected, grpc: expected });
  }, 60_000);
});

interface Peer extends AsyncDisposable {
  readonly process: ChildProcess;
}

function startPeer(root: string, args: readonly string[]): Peer {
  const child = spawn(process.execPath, [join(root, "tools/skew/peer.ts"), ...args], { cwd: root });
  return {
    process: child,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

/** @throws Error with what it complains of, if it ends before */
async function firstLine(child: ChildProcess): Promise<string> {
  const { stdout, stderr } = child;
  if (!stdout || !stderr) throw new Error("started without pipes");
  const complaints = text(stderr);
  let line = "";
  for await (const chunk of stdout) {
    line += chunk;
    if (line.includes("\n")) return line.slice(0, line.indexOf("\n"));
  }
  throw new Error(`the peer ended: ${await complaints}`);
}
