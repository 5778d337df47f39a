import type { EngineName } from "../engines/engine.ts";
import type { Engines } from "../engines/engines.ts";
import { residentBytes } from "../processes/identity.ts";
import type { Member } from "./member.ts";

/** An engine as a member of the stack. */
export function engineMember(engines: Engines, name: EngineName, port: number): Member {
  const running = () => engines.status(name);
  return {
    name,
    ports: running().external ? {} : { [name]: port },
    isRunning: () => running().external || running().pid !== undefined,
    start: () => engines.start(name),
    stop: () => engines.stop(name),
    kill: (signal) => engines.kill(name, signal),
    ended: () => engines.ended(name),
    status() {
      const { external, pid, url, logFile } = running();
      return {
        name,
        state: external ? "external" : pid === undefined ? "stopped" : "running",
        pid,
        addresses: { [name]: new URL(url).host },
        residentBytes: pid === undefined ? undefined : residentBytes(pid),
        logFile,
      };
    },
  };
}
