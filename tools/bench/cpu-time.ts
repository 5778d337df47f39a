import { readFileSync } from "node:fs";

/** Linux counts CPU time of processes so. */
const tickMs = 10;

/** CPU time of a process since it started, in ms. */
export function cpuMsOf(pid: number): number {
  // proc(5): user and system time are the 12th and 13th fields after the command in brackets.
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * tickMs;
}

/** The same with that of the processes which it has started. */
export function cpuMsOfTree(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return children.split(" ").reduce((sum, child) => sum + (child ? cpuMsOfTree(Number(child)) : 0), cpuMsOf(pid));
}
