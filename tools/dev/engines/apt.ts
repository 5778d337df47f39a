import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import { findExecutable } from "../processes/executables.ts";

const run = promisify(execFile);

const POLICY_FILE = "/usr/sbin/policy-rc.d";
const POLICY_KEPT = "/usr/sbin/policy-rc.d.before-weft";
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;
const INSTALL_TIMEOUT_MS = 300_000;

/** How commands are run with root's rights here: directly, through a sudo that asks nothing, or not at all. */
export async function rootPrefix(): Promise<readonly string[] | undefined> {
  if (process.getuid?.() === 0) return [];
  const sudo = findExecutable("sudo");
  if (sudo === undefined) return undefined;
  return run(sudo, ["-n", "true"]).then(
    () => [sudo, "-n"],
    () => undefined,
  );
}

/** Whether packages can be installed here: Debian or Ubuntu, and root's rights. */
export async function canInstall(): Promise<boolean> {
  return findExecutable("apt-get") !== undefined && (await rootPrefix()) !== undefined;
}

/**
 * Installs Debian packages without letting them start their daemons, neither now nor at the next boot: we run engines of our
 * own, and a MariaDB on 3306 that nobody asked for is not ours to leave behind.
 */
export async function aptInstall(packages: readonly string[], say: (line: string) => void): Promise<void> {
  const prefix = await rootPrefix();
  if (prefix === undefined) throw new Error("apt-get needs root or a sudo that asks for no password");
  const asRoot = (command: string, ...args: string[]) => {
    const [file = command, ...rest] = [...prefix, command, ...args];
    return run(file, rest, { maxBuffer: OUTPUT_BYTES_MAX, timeout: INSTALL_TIMEOUT_MS });
  };
  const aptGet = (...args: string[]) =>
    asRoot("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet", "-o", "DPkg::Lock::Timeout=180", ...args);
  const install = () => aptGet("install", "--yes", "--no-install-recommends", ...packages);
  say(`installing ${packages.join(", ")} with apt-get (once, about 20 s)`);
  await usingNoDaemons(asRoot, async () => {
    try {
      await install();
    } catch {
      // No package lists yet, or lists so old that the files they name are gone.
      await aptGet("update");
      await install();
    }
  });
  await disableUnits(asRoot, packages);
}

type AsRoot = (command: string, ...args: string[]) => Promise<unknown>;

/** Runs `work` while Debian's policy-rc.d forbids package scripts to start daemons; puts back what was there before. */
async function usingNoDaemons(asRoot: AsRoot, work: () => Promise<void>): Promise<void> {
  const marker = "made by weft for the time of an installation";
  const shell = (script: string) => asRoot("sh", "-c", script);
  // One of ours that a killed run left is replaced, not kept.
  await shell(`if [ -e ${POLICY_FILE} ] && ! grep -q '${marker}' ${POLICY_FILE}; then mv ${POLICY_FILE} ${POLICY_KEPT}; fi
    printf '#!/bin/sh\n# ${marker}\nexit 101\n' > ${POLICY_FILE} && chmod 755 ${POLICY_FILE}`);
  try {
    await work();
  } finally {
    await shell(`if [ -e ${POLICY_KEPT} ]; then mv -f ${POLICY_KEPT} ${POLICY_FILE}; else rm -f ${POLICY_FILE}; fi`);
  }
}

async function disableUnits(asRoot: AsRoot, packages: readonly string[]): Promise<void> {
  if (!existsSync("/run/systemd/system")) return;
  const units = packages.map((name) => (name === "mariadb-server" ? "mariadb" : name));
  await asRoot("systemctl", "disable", ...units).catch(() => undefined);
}
