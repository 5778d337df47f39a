import { type FileRegistry, type JsonValue, type Registry, toJson } from "@bufbuild/protobuf";
import {
  DescriptorProtoSchema,
  EnumDescriptorProtoSchema,
  MethodDescriptorProtoSchema,
  ServiceDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import { Command } from "commander";
import { connect } from "../connect.ts";
import { usageFailure } from "../failure.ts";
import { didYouMean } from "../nearest.ts";
import { type CommonOptions, withCommonOptions } from "../options.ts";
import type { Io } from "../output.ts";
import { type Describable, formatDefinition } from "../proto-text/definitions.ts";
import type { Channel } from "../wire/channel.ts";
import { listServices, loadServices, loadSymbol } from "../wire/reflection.ts";

/** `weft describe SERVICE SYMBOL` */
export function describeCommand(io: Io): Command {
  return withCommonOptions(new Command("describe"))
    .description("a service, method, message or enum as its .proto has it, policies and validation rules included")
    .argument("<service>", "name on the mesh: order")
    .argument(
      "<symbol>",
      "full name: shop.order.v1.OrderService, shop.order.v1.OrderService/PlaceOrder, shop.order.v1.Order",
    )
    .action(async (service: string, symbol: string, options: CommonOptions) => {
      using channel = await connect(io, service, options);
      const name = symbol.replace(/^\./, "").replace("/", ".");
      const registry = await loadSymbol(channel, name);
      const found = registry && findSymbol(registry, name);
      if (registry === undefined || found === undefined) throw await unknownSymbol(channel, service, name);
      const text = options.output === "json" ? describeJson(found, registry) : describeText(found, registry);
      io.stdout(text);
    });
}

function describeText(found: Describable, registry: FileRegistry): string {
  const file = found.kind === "rpc" ? found.parent.file : found.file;
  return `// ${fullName(found)}, from ${file.name}.proto\n${formatDefinition(found, registry)}`;
}

function describeJson(found: Describable, registry: Registry): string {
  return `${JSON.stringify({ name: fullName(found), kind: found.kind, descriptor: descriptorJson(found, registry) }, null, 2)}\n`;
}

function descriptorJson(found: Describable, registry: Registry): JsonValue {
  switch (found.kind) {
    case "service":
      return toJson(ServiceDescriptorProtoSchema, found.proto, { registry });
    case "rpc":
      return toJson(MethodDescriptorProtoSchema, found.proto, { registry });
    case "message":
      return toJson(DescriptorProtoSchema, found.proto, { registry });
    case "enum":
      return toJson(EnumDescriptorProtoSchema, found.proto, { registry });
  }
}

function fullName(found: Describable): string {
  return found.kind === "rpc" ? `${found.parent.typeName}/${found.name}` : found.typeName;
}

function findSymbol(registry: Registry, name: string): Describable | undefined {
  const type = registry.get(name);
  if (type !== undefined) return type.kind === "extension" ? undefined : type;
  const dot = name.lastIndexOf(".");
  return registry.getService(name.slice(0, dot))?.methods.find((method) => method.name === name.slice(dot + 1));
}

async function unknownSymbol(channel: Channel, service: string, symbol: string) {
  const registry = await loadServices(channel, await listServices(channel));
  const names = [...registry].flatMap((type) => [
    type.typeName,
    ...(type.kind === "service" ? type.methods.map((method) => `${type.typeName}/${method.name}`) : []),
  ]);
  const hint = didYouMean(symbol, names) ?? `\`weft list ${service}\` shows what there is`;
  return usageFailure(`${service} knows no "${symbol}"`, hint);
}
