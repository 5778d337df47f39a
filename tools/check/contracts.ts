import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { contractProblems } from "../../mesh/contract/policy.ts";
import { buildImage, ownProtoFolders } from "./buf.ts";
import { type Findings, runCheck } from "./check.ts";

/** Finds options that make no sense in our contracts: what would stop a service's start. */
export async function checkContracts(root: string): Promise<Findings> {
  const folders = await ownProtoFolders(root);
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, await buildImage(root)));
  const own = [...registry.files].filter((file) => folders.includes(file.name.split("/")[0] ?? ""));
  const problems = own.flatMap(contractProblems);
  if (own.length === 0) problems.push(": holds no contract of ours, so nothing was checked");
  return { problems: problems.map((problem) => `proto/${problem}`), seen: `${own.length} files` };
}

if (import.meta.main) await runCheck("contracts", checkContracts);
