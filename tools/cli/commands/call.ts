import { type DescMethod, fromBinary, type Registry, toJson } from "@bufbuild/protobuf";
import type { Metadata, ServiceError } from "@grpc/grpc-js";
import { Command } from "commander";
import { connect } from "../connect.ts";
import { callFailure, usageFailure } from "../failure.ts";
import { didYouMean } from "../nearest.ts";
import { type CommonOptions, parseHeader, parseTimeoutMs, withCommonOptions } from "../options.ts";
import type { Io } from "../output.ts";
import { decodeStatus } from "../status.ts";
import type { CallObserver, Channel } from "../wire/channel.ts";
import { listServices, loadServices, loadSymbol } from "../wire/reflection.ts";
import { readRequests } from "../wire/requests.ts";
import { isServiceError } from "../wire/service-error.ts";

interface CallCommandOptions extends CommonOptions {
  data?: string;
  header?: readonly (readonly [string, string])[];
  timeout?: number;
}

/** `weft call SERVICE package.Service/Method` */
export function callCommand(io: Io): Command {
  return withCommonOptions(new Command("call"))
    .description("call a method, of any kind: JSON in, JSON out, messages of a stream as they come")
    .argument("<service>", "name on the mesh: order")
    .argument("<method>", "full name: shop.order.v1.OrderService/GetOrder")
    .option(
      "-d, --data <json>",
      "the request: JSON, @file, or - for standard input; a client stream takes one message a line",
    )
    .option("-H, --header <header>", '"name: value", sent as metadata; may be given several times', parseHeader)
    .option("--timeout <duration>", 'deadline of the call: "500ms", "3s", "2m"', parseTimeoutMs)
    .action(async (service: string, methodName: string, options: CallCommandOptions) => {
      using channel = await connect(io, service, options);
      const { method, registry } = await findMethod(channel, service, methodName);
      await call(io, channel, method, registry, options);
    });
}

async function call(io: Io, channel: Channel, method: DescMethod, registry: Registry, options: CallCommandOptions) {
  const requests = readRequests(io, method, options.data, registry);
  const path = `/${method.parent.typeName}/${method.name}`;
  const callOptions = { headers: options.header ?? [], timeoutMs: options.timeout };
  try {
    for await (const bytes of channel.call(path, requests, callOptions, observer(io, options))) {
      const json = toJson(method.output, fromBinary(method.output, bytes), { registry });
      io.stdout(`${JSON.stringify(json, null, options.output === "json" ? undefined : 2)}\n`);
    }
  } catch (error) {
    if (isServiceError(error)) throw callFailure(decodeStatus(error satisfies ServiceError, registry), error);
    throw error;
  }
}

function observer(io: Io, options: CommonOptions): CallObserver {
  if (options.verbose !== true) return {};
  const print = (prefix: string) => (metadata: Metadata) => {
    for (const [name, value] of Object.entries(metadata.getMap())) {
      io.stderr(`${prefix} ${name}: ${typeof value === "string" ? value : value.toString("base64")}\n`);
    }
  };
  return { header: print("<"), trailer: print("< (trailer)") };
}

async function findMethod(channel: Channel, service: string, name: string) {
  const slash = name.lastIndexOf("/");
  const typed = (slash < 0 ? name.replace(/\.([^.]*)$/, "/$1") : name).replace(/^\//, "");
  const [serviceName = "", methodName = ""] = typed.split("/");
  const registry = serviceName === "" ? undefined : await loadSymbol(channel, serviceName);
  const method = registry?.getService(serviceName)?.methods.find((candidate) => candidate.name === methodName);
  if (registry === undefined || method === undefined) throw await unknownMethod(channel, service, typed);
  return { method, registry };
}

async function unknownMethod(channel: Channel, service: string, typed: string) {
  const services = await listServices(channel);
  const registry = await loadServices(channel, services);
  const names = services.flatMap((name) =>
    (registry.getService(name)?.methods ?? []).map((method) => `${name}/${method.name}`),
  );
  const hint = didYouMean(typed, names) ?? `\`weft list ${service}\` shows what there is`;
  return usageFailure(`${service} has no method "${typed}"`, hint);
}
