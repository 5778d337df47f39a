import { type TransportChoice, transportChoices } from "../../mesh/client/edge-settings.ts";
import { catalogue, faultOf, SMOKE_KINDS } from "./catalogue/catalogue.ts";
import { SMOKE_MUTATIONS } from "./mutation-faults.ts";
import { mutationNamed, mutations } from "./mutations/mutations.ts";
import { scenarioNamed, scenarios } from "./scenarios/scenarios.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** What a run is asked to do, by its environment. */
export interface Options {
  readonly kinds: readonly string[];
  readonly mutations: readonly string[];
  readonly scenarios: readonly string[];
  /** How much of each scenario, up to 1. */
  readonly share: number;
  readonly seedCount: number;
  /** Undefined: that of the run which was interrupted, else a new one. */
  readonly seed: number | undefined;
  readonly isSmoke: boolean;
  /** Not a part that ONLY names. */
  readonly isWhole: boolean;
  readonly isFresh: boolean;
  /** Operations a second. */
  readonly rate: number;
  readonly lanes: number;
  /** How calls between services leave. */
  readonly transport: TransportChoice;
}

const SMOKE_SEED = 1;

/**
 * SMOKE=1, SEED=number, SEEDS=number (3), ONLY=kinds, mutations or scenarios by comma, FRESH=1, RATE=operations a second,
 * LANES=worlds at a time, SHARE=how much of each scenario (1), TRANSPORT=auto (tunnels), tunnel or grpc. @throws Error naming the setting
 */
export function readOptions(env: Env, canMount: boolean): Options {
  const isSmoke = isOn(env.SMOKE);
  const only = (env.ONLY ?? "").split(",").filter((name) => name !== "");
  const known = mutations.map(({ name }) => name);
  const stories = scenarios.map(({ name }) => name);
  const all = catalogue.filter(({ needsRoot = false }) => !needsRoot || canMount).map(({ kind }) => kind);
  const asked = {
    kinds: only.filter((name) => ![...known, ...stories].includes(name)).map((name) => faultOf(name).kind),
    mutations: only.filter((name) => known.includes(name)).map((name) => mutationNamed(name).name),
    scenarios: only.filter((name) => stories.includes(name)).map((name) => scenarioNamed(name).name),
  };
  const whole = isSmoke
    ? { kinds: SMOKE_KINDS, mutations: SMOKE_MUTATIONS, scenarios: [] }
    : { kinds: all, mutations: known, scenarios: stories };
  return {
    ...(only.length > 0 ? asked : whole),
    seedCount: readCount(env, "SEEDS", isSmoke ? 1 : 3),
    seed: env.SEED === undefined || env.SEED === "" ? (isSmoke ? SMOKE_SEED : undefined) : readCount(env, "SEED", 1),
    isSmoke,
    isWhole: only.length === 0,
    isFresh: isOn(env.FRESH),
    rate: readCount(env, "RATE", 30),
    lanes: readCount(env, "LANES", 2),
    transport: readTransport(env, "TRANSPORT"),
    share: readShare(env, "SHARE"),
  };
}

function isOn(value: string | undefined): boolean {
  return value !== undefined && value !== "" && value !== "0";
}

function readCount(env: Env, name: string, fallback: number): number {
  const text = env[name];
  if (text === undefined || text === "") return fallback;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new Error(`${name}=${text} is no whole number above 0`);
}

function readTransport(env: Env, name: string): TransportChoice {
  const text = env[name] || "auto";
  const choice = transportChoices.find((candidate) => candidate === text);
  if (choice !== undefined) return choice;
  throw new Error(`${name}=${text} is none of ${transportChoices.join(", ")}`);
}

function readShare(env: Env, name: string): number {
  const text = env[name];
  if (text === undefined || text === "") return 1;
  const value = Number(text);
  if (value > 0 && value <= 1) return value;
  throw new Error(`${name}=${text} is no number above 0 and up to 1`);
}
