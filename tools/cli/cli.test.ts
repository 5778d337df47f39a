import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code, createClient } from "@connectrpc/connect";
import { rpcError } from "@weft/mesh/contract";
import { EchoService } from "@weft/mesh/gen/weft/echo/v1/echo_pb.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { echoRoutes } from "../../mesh/testing/echo.ts";
import { createWorld, type World } from "../../mesh/testing/world.ts";
import { run } from "./cli.ts";
import { exitCodes } from "./failure.ts";

const resources = new AsyncDisposableStack();
let world: World;
let directory: string;
let address: string;

const ECHO = "weft.echo.v1.EchoService";

beforeAll(async () => {
  world = resources.use(await createWorld());
  await world.credentials("operator");
  const service = await world.serve(
    "echo",
    echoRoutes({
      echo({ text }) {
        if (text !== "fail") return { text };
        throw rpcError(Code.FailedPrecondition, "not enough", {
          reason: "OUT_OF_STOCK",
          metadata: { sku: "CUP" },
          violations: [{ field: "lines[0].quantity", description: "2 are left" }],
        });
      },
    }),
  );
  address = service.address;
  directory = await mkdtemp(join(tmpdir(), "weft-cli-"));
  resources.defer(() => rm(directory, { recursive: true }));
  await mkdir(join(directory, ".weft"));
  const services = {
    echo: { grpc: address, health: "127.0.0.1:1", metrics: "127.0.0.1:1" },
    // Port 1 of the local machine: nobody listens.
    away: { grpc: "127.0.0.1:1", health: "127.0.0.1:1", metrics: "127.0.0.1:1" },
    // Somebody listens, but it is not the one who is asked for.
    impostor: { grpc: address, health: "127.0.0.1:1", metrics: "127.0.0.1:1" },
  };
  await writeFile(join(directory, ".weft/stack.json"), JSON.stringify({ services, certs: world.directory }));
});
afterAll(() => resources.disposeAsync());

async function weft(args: string[], stdin: string[] = []) {
  const output = { stdout: "", stderr: "" };
  const exitCode = await run(args, {
    stdin: (async function* () {
      yield* stdin;
    })(),
    stdout: (text) => {
      output.stdout += text;
    },
    stderr: (text) => {
      output.stderr += text;
    },
    workingDirectory: directory,
  });
  return { exitCode, ...output };
}

const done = { exitCode: exitCodes.ok, stderr: "" };

describe("weft list", () => {
  test("shows who is on the mesh", async () => {
    const { stdout, ...rest } = await weft(["list"]);
    expect(rest).toEqual(done);
    expect(stdout).toMatch(/^SERVICE +GRPC +HEALTH +METRICS\necho +127\.0\.0\.1:\d+/);
  });

  test("shows a service's methods with what goes in and out", async () => {
    const { stdout, ...rest } = await weft(["list", "echo"]);
    expect(rest).toEqual(done);
    expect(stdout).toContain(`${ECHO}\n  Echo(weft.echo.v1.EchoRequest) returns (weft.echo.v1.EchoResponse)\n`);
    expect(stdout).toContain("  Chat(stream weft.echo.v1.ChatRequest) returns (stream weft.echo.v1.ChatResponse)\n");
    for (const standard of ["grpc.health.v1.Health", "weft.admin.v1.AdminService"]) expect(stdout).toContain(standard);
  });

  test("speaks JSON too", async () => {
    const services = JSON.parse((await weft(["list", "echo", "-o", "json"])).stdout);
    expect(services).toContainEqual(expect.objectContaining({ service: ECHO }));
  });
});

describe("weft describe", () => {
  test.each([`${ECHO}/EchoAgain`, `${ECHO}.EchoAgain`])("shows the policy of %s", async (symbol) => {
    const { stdout, ...rest } = await weft(["describe", "echo", symbol]);
    expect(rest).toEqual(done);
    expect(stdout).toContain(`// ${ECHO}/EchoAgain, from weft/echo/v1/echo.proto\n`);
    expect(stdout).toContain("option idempotency_level = IDEMPOTENT;");
    expect(stdout).toContain("retry: {");
    expect(stdout).toContain("string text = 1 [(buf.validate.field) = {string: {max_len: 1024}}];");
  });

  test("shows them as JSON", async () => {
    const { stdout } = await weft(["describe", "echo", `${ECHO}/EchoForUser`, "-o", "json"]);
    expect(JSON.parse(stdout).descriptor.options).toEqual({
      "[weft.v1.method]": {
        requiredScopes: ["echo"],
        idempotencyKey: "KEY_SOURCE_NONE",
        criticality: "CRITICALITY_CRITICAL",
      },
    });
  });

  test("suggests the nearest name", async () => {
    const { exitCode, stderr } = await weft(["describe", "echo", "weft.echo.v1.EchoRequst"]);
    expect([exitCode, stderr]).toEqual([
      exitCodes.usage,
      expect.stringContaining("did you mean weft.echo.v1.EchoRequest"),
    ]);
  });
});

describe("weft call", () => {
  test("calls as the operator", async () => {
    const { stdout, ...rest } = await weft(["call", "echo", `${ECHO}/EchoAgain`, "-d", '{"text": "hello"}']);
    expect(rest).toEqual(done);
    expect(JSON.parse(stdout)).toEqual({ text: "hello", peer: "spiffe://test.local/operator" });
  });

  test("takes the request from a file, or from standard input", async () => {
    await writeFile(join(directory, "request.json"), '{"text": "filed"}');
    expect((await weft(["call", "echo", `${ECHO}/Echo`, "-d", "@request.json"])).stdout).toContain("filed");
    expect((await weft(["call", "echo", `${ECHO}/Echo`, "-d", "-"], ['{"text": ', '"piped"}'])).stdout).toContain(
      "piped",
    );
  });

  test("sends headers: an end user, for instance", async () => {
    const header = "weft-end-user: user=usr_1&scope=echo";
    const { stdout } = await weft(["call", "echo", `${ECHO}/EchoForUser`, "-H", header]);
    expect(JSON.parse(stdout)).toEqual({ userId: "usr_1" });
  });

  test("prints the messages of a server stream one by one", async () => {
    const { stdout, ...rest } = await weft([
      "call",
      "echo",
      `${ECHO}/Repeat`,
      "-d",
      '{"text":"a","count":3}',
      "-o",
      "json",
    ]);
    expect(rest).toEqual(done);
    expect(stdout).toBe('{"text":"a"}\n'.repeat(3));
  });

  test("streams from standard input, one message a line", async () => {
    const lines = ['{"text":"a"}\n{"te', 'xt":"b"}\n\n{"text":"c"}'];
    expect(JSON.parse((await weft(["call", "echo", `${ECHO}/Join`], lines)).stdout)).toEqual({ text: "a b c" });
    expect((await weft(["call", "echo", `${ECHO}/Chat`, "-o", "json"], lines)).stdout).toBe(
      '{"text":"a"}\n{"text":"b"}\n{"text":"c"}\n',
    );
  });

  test("shows code, message and every detail of an error", async () => {
    const { exitCode, stdout, stderr } = await weft(["call", "echo", `${ECHO}/Echo`, "-d", '{"text":"fail"}']);
    expect([exitCode, stdout]).toEqual([exitCodes.callFailed, ""]);
    expect(stderr).toBe(`\
FAILED_PRECONDITION (9): not enough
  google.rpc.ErrorInfo {
    "reason": "OUT_OF_STOCK",
    "domain": "weft",
    "metadata": {
      "sku": "CUP"
    }
  }
  google.rpc.BadRequest {
    "fieldViolations": [
      {
        "field": "lines[0].quantity",
        "description": "2 are left"
      }
    ]
  }
`);
  });

  test("shows an error as JSON", async () => {
    const { stderr } = await weft(["call", "echo", `${ECHO}/Echo`, "-d", '{"text":"fail"}', "-o", "json"]);
    expect(JSON.parse(stderr)).toMatchObject({
      code: "FAILED_PRECONDITION",
      details: [{ "@type": "google.rpc.ErrorInfo", reason: "OUT_OF_STOCK" }, { "@type": "google.rpc.BadRequest" }],
    });
  });

  test("ends at its timeout", async () => {
    const slow = await world.serve("slow", echoRoutes());
    const request = ["-d", '{"delay":"5s"}', "--timeout", "50ms", "--addr", slow.address];
    const { exitCode, stderr } = await weft(["call", "slow", `${ECHO}/Echo`, ...request]);
    expect([exitCode, stderr]).toEqual([exitCodes.callFailed, expect.stringMatching(/^DEADLINE_EXCEEDED/)]);
  });

  test("names a field that does not exist, and the one that was meant", async () => {
    const { exitCode, stderr } = await weft(["call", "echo", `${ECHO}/Echo`, "-d", '{"txt":"a"}']);
    expect([exitCode, stderr]).toEqual([
      exitCodes.usage,
      expect.stringMatching(/"txt" is unknown\n +did you mean text/),
    ]);
  });

  test("names a field whose value does not fit, in a line of a stream too", async () => {
    for (const [method, stdin] of [
      ["Echo", ['{"text":1}']],
      ["Join", ['{"text":"a"}\n', '{"text":1}\n']],
    ] as const) {
      const { exitCode, stderr } = await weft(["call", "echo", `${ECHO}/${method}`, "-d", "-"], [...stdin]);
      expect([exitCode, stderr]).toEqual([exitCodes.usage, expect.stringContaining(".text")]);
    }
  });

  test.each([
    [`${ECHO}/Ecko`, `did you mean ${ECHO}/Echo`],
    ["EchoService/Join", `did you mean ${ECHO}/Join`],
    ["nothing", "weft list echo"],
  ])("suggests what %s may mean", async (method, words) => {
    const { exitCode, stderr } = await weft(["call", "echo", method]);
    expect([exitCode, stderr]).toEqual([exitCodes.usage, expect.stringContaining(words)]);
  });

  test("shows response headers when asked to", async () => {
    const { stderr } = await weft(["call", "echo", `${ECHO}/Echo`, "--verbose"]);
    expect(stderr).toMatch(/^< .+: /m);
  });
});

describe("weft health, breakers, ps", () => {
  test("health says SERVING", async () => {
    expect(await weft(["health", "echo"])).toEqual({ ...done, stdout: "echo SERVING\n" });
  });

  test("breakers of one who called nobody", async () => {
    expect(await weft(["breakers", "echo"])).toEqual({ ...done, stdout: "echo has called nobody yet\n" });
    expect((await weft(["breakers", "echo", "-o", "json"])).stdout).toBe("[]\n");
  });

  test("breakers of one who called another", async () => {
    const caller = await world.serve("caller", echoRoutes());
    await createClient(EchoService, caller.mesh.transport("echo")).echoAgain({ text: "x" });
    const { stdout } = await weft(["breakers", "caller", "--addr", caller.address, "-o", "json"]);
    expect(JSON.parse(stdout)).toEqual([
      { target: "echo", endpoint: address, method: `${ECHO}/EchoAgain`, state: "CLOSED" },
    ]);
  });

  test("ps shows processes, and who cannot be reached", async () => {
    const { exitCode, stdout, stderr } = await weft(["ps"]);
    expect(exitCode).toBe(exitCodes.unreachable);
    expect(stdout).toMatch(new RegExp(`^echo +${process.pid} +\\d{4}-.* MiB +[\\d.]+ s +${process.version}$`, "m"));
    expect(stdout).toMatch(/^away +- /m);
    expect(stderr).toContain("make up");
  });
});

describe("a service that is not there", () => {
  test("is named with address, cause and what to do", async () => {
    const { exitCode, stderr } = await weft(["health", "away"]);
    expect([exitCode, stderr]).toEqual([
      exitCodes.unreachable,
      expect.stringMatching(/cannot reach away at 127\.0\.0\.1:1: .*ECONNREFUSED.*\n.*make up/),
    ]);
  });

  test("is not somebody else at its address", async () => {
    const { exitCode, stderr } = await weft(["health", "impostor"]);
    expect([exitCode, stderr]).toEqual([
      exitCodes.unreachable,
      expect.stringContaining("spiffe://test.local/echo, not spiffe://test.local/impostor"),
    ]);
  });

  test("cannot be asked without a certificate", async () => {
    const { exitCode, stderr } = await weft(["health", "echo", "--certs", "nowhere"]);
    expect([exitCode, stderr]).toEqual([
      exitCodes.unreachable,
      expect.stringMatching(/operator's certificate.*\n.*make up/),
    ]);
  });

  test("refuses a caller who is not the operator", async () => {
    await world.credentials("somebody");
    const { exitCode, stderr } = await weft(["breakers", "echo", "--certs", join(world.directory, "somebody")]);
    expect([exitCode, stderr]).toEqual([
      exitCodes.callFailed,
      expect.stringMatching(/^PERMISSION_DENIED.*\n.*ErrorInfo/),
    ]);
  });
});

describe("wrong usage", () => {
  test.each([
    [["helth", "echo"]],
    [["call", "echo"]],
    [["list", "--output", "xml"]],
    [["list", "echo", "--addr", "nonsense"]],
    [["call", "echo", "x/Y", "--timeout", "3"]],
    [["list", "nobody"]],
  ])("%j ends with 2 and a word of advice, no stack", async (args) => {
    const { exitCode, stderr } = await weft(args);
    expect(exitCode).toBe(exitCodes.usage);
    expect(stderr).not.toMatch(/^ +at /m);
    expect(stderr.trim().split("\n").length).toBeGreaterThan(1);
  });
});
