import type { IProbe } from "kubernetes-models/v1";
import type { Checked } from "./check-manifests.ts";
import { probeNames } from "./pods.ts";
import { containerOf } from "./rendered.ts";
import { secretsOf } from "./secrets.ts";

const header = ["service", "objects", `probes: ${probeNames.join(", ")}`, "settings", "secrets", ""];

/** What was rendered for each service, a line each, once all of it is found to be valid. */
export function table({ rendered, configured }: Checked): string {
  const rows = configured.map(({ service, settings }) => {
    const deployments = rendered.deployments.filter(({ metadata }) => metadata.name === service);
    const own = rendered.all.filter(({ metadata: { name } }) => name === service || name.startsWith(`${service}-`));
    const probes = deployments.flatMap((one) => probeNames.map((name) => describe(containerOf(one)[name])));
    const secrets = secretsOf({ deployments }).map(({ name }) => name);
    return [service, `${own.length}`, probes.join(", "), `${settings.length}`, secrets.join(", "), "valid"];
  });
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ");
  return all.map((row) => line(row).trimEnd()).join("\n");
}

function describe(probe: IProbe | undefined): string {
  if (probe?.grpc) return ["grpc", probe.grpc.service].filter((part) => part !== undefined).join(" ");
  return probe?.httpGet ? `http ${probe.httpGet.path}` : "none";
}
