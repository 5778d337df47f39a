import { createFileRegistry, type DescFile, type DescMessage, fromBinary, ScalarType } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { contractProblems } from "../../mesh/contract/policy.ts";
import { buildImage, ownProtoFolders } from "./buf.ts";
import { type Findings, runCheck } from "./check.ts";

/** Finds options that make no sense in our contracts, what would stop a service's start; and money that is not exact. */
export async function checkContracts(root: string): Promise<Findings> {
  const folders = await ownProtoFolders(root);
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, await buildImage(root)));
  const own = [...registry.files].filter((file) => folders.includes(file.name.split("/")[0] ?? ""));
  const problems = own.flatMap((file) => [...contractProblems(file), ...inexactMoney(file)]);
  if (own.length === 0) problems.push(": holds no contract of ours, so nothing was checked");
  return { problems: problems.map((problem) => `proto/${problem}`), seen: `${own.length} files` };
}

const moneyWords = /price|amount|total|units|revenue|money|refund|discount|tax/;

/** Money is whole numbers: a field that sounds like it and is a floating point number is a mistake. */
function inexactMoney({ messages, name }: DescFile): string[] {
  const all = (message: DescMessage): DescMessage[] => [message, ...message.nestedMessages.flatMap(all)];
  return messages.flatMap(all).flatMap((message) =>
    message.fields
      .filter(({ scalar }) => scalar === ScalarType.DOUBLE || scalar === ScalarType.FLOAT)
      .filter((field) => moneyWords.test(field.name))
      .map((field) => `${name}.proto: ${field}: money is an integer of minor units, no floating point number`),
  );
}

if (import.meta.main) await runCheck("contracts", checkContracts);
