import { Command } from "commander";
import { usageFailure } from "../failure.ts";
import type { Io } from "../output.ts";
import { overrideId, type PostOptions, postOverride, withdrawOverrides, withPost } from "../overrides/post.ts";

/** `weft split SERVICE VERSION=PERCENT...` */
export function splitCommand(io: Io): Command {
  return withPost(new Command("split"))
    .description("sends a part of the calls to a service to instances of a version, the rest to all others")
    .argument("<service>", "that is called: catalog")
    .argument("[versions...]", 'the label of instances and their part of the calls: "v2=10"')
    .action(async (service: string, versions: string[], options: PostOptions) => {
      const id = overrideId("split", service, options.from);
      if (options.end) return await withdrawOverrides(io, [id], options);
      const percentages = Object.fromEntries(versions.map(parsePart));
      await postOverride(io, id, service, { case: "split", value: { percentages } }, options);
    });
}

function parsePart(text: string): [string, number] {
  const [, version, percentage] = /^([^=]+)=(\d{1,3})%?$/.exec(text) ?? [];
  if (version === undefined) throw usageFailure(`"${text}" is not a version and its percentage`, '"v2=10"');
  return [version, Number(percentage)];
}
