import { catalogue, faultOf, SMOKE_KINDS } from "./catalogue/catalogue.ts";
import { SMOKE_MUTATIONS } from "./mutation-faults.ts";
import { mutationNamed, mutations } from "./mutations/mutations.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** What a run is asked to do, by its environment. */
export interface Options {
  readonly kinds: readonly string[];
  readonly mutations: readonly string[];
  readonly seedCount: number;
  /** Undefined: that of the run which was interrupted, else a new one. */
  readonly seed: number | undefined;
  readonly isSmoke: boolean;
  readonly isFresh: boolean;
  /** Operations a second. */
  readonly rate: number;
  readonly lanes: number;
}

const SMOKE_SEED = 1;

/**
 * SMOKE=1, SEED=number, SEEDS=number (3), ONLY=kinds or mutations by comma ("none" for neither), FRESH=1, RATE=operations a second,
 * LANES=worlds at a time. @throws Error naming the setting
 */
export function readOptions(env: Env, canMount: boolean): Options {
  const isSmoke = isOn(env.SMOKE);
  const only = (env.ONLY ?? "").split(",").filter((name) => name !== "");
  const known = mutations.map(({ name }) => name);
  const all = catalogue.filter(({ needsRoot = false }) => !needsRoot || canMount).map(({ kind }) => kind);
  const asked = {
    kinds: only.filter((name) => !known.includes(name)).map((name) => faultOf(name).kind),
    mutations: only.filter((name) => known.includes(name)).map((name) => mutationNamed(name).name),
  };
  const whole = isSmoke ? { kinds: SMOKE_KINDS, mutations: SMOKE_MUTATIONS } : { kinds: all, mutations: known };
  return {
    ...(only.length > 0 ? asked : whole),
    seedCount: readCount(env, "SEEDS", isSmoke ? 1 : 3),
    seed: env.SEED === undefined || env.SEED === "" ? (isSmoke ? SMOKE_SEED : undefined) : readCount(env, "SEED", 1),
    isSmoke,
    isFresh: isOn(env.FRESH),
    rate: readCount(env, "RATE", 30),
    lanes: readCount(env, "LANES", 2),
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
