import type { DescMethod, FileRegistry } from "@bufbuild/protobuf";
import { Command } from "commander";
import { loadAddressBook } from "../address-book.ts";
import { connect } from "../connect.ts";
import { type CommonOptions, withCommonOptions } from "../options.ts";
import { type Io, printRows } from "../output.ts";
import { listServices, loadServices } from "../wire/reflection.ts";

/** `weft list [SERVICE]` */
export function listCommand(io: Io): Command {
  return withCommonOptions(new Command("list"))
    .description("the services of the mesh; of one of them, its gRPC services and methods (asked through reflection)")
    .argument("[service]", "name on the mesh: order")
    .action(async (service: string | undefined, options: CommonOptions) =>
      service === undefined ? await listMesh(io, options) : await listMethods(io, service, options),
    );
}

async function listMesh(io: Io, options: CommonOptions): Promise<void> {
  const book = await loadAddressBook(options.stack, io.workingDirectory);
  const rows = [...book.services].map(([service, addresses]) => ({ service, ...addresses }));
  printRows(io, options.output, rows, {
    service: (row) => row.service,
    grpc: (row) => row.grpc,
    health: (row) => row.health,
    metrics: (row) => row.metrics,
  });
  if (book.file === undefined)
    io.stderr("weft: no stack.json found, these are the default addresses; `make up` starts the stack\n");
}

async function listMethods(io: Io, service: string, options: CommonOptions): Promise<void> {
  using channel = await connect(io, service, options);
  const names = await listServices(channel);
  const registry = await loadServices(channel, names);
  const services = names.map((name) => ({ service: name, methods: methodsOf(registry, name) }));
  if (options.output === "json") {
    io.stdout(`${JSON.stringify(services, null, 2)}\n`);
    return;
  }
  const blocks = services.map(({ service: name, methods }) =>
    [
      name,
      ...methods.map(({ name: method, request, response }) => `  ${method}(${request}) returns (${response})`),
    ].join("\n"),
  );
  io.stdout(`${blocks.join("\n\n")}\n`);
}

function methodsOf(registry: FileRegistry, service: string) {
  const streamed = (stream: boolean, type: string) => (stream ? `stream ${type}` : type);
  return (registry.getService(service)?.methods ?? []).map((method: DescMethod) => ({
    name: method.name,
    request: streamed(method.proto.clientStreaming, method.input.typeName),
    response: streamed(method.proto.serverStreaming, method.output.typeName),
  }));
}
