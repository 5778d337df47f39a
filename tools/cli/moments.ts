import { InvalidArgumentError } from "commander";

const unitsMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** How long: "90s", "30m", "2h", "7d". */
export function parseDurationMs(value: string): number {
  const [, count, unit] = /^(\d+)([smhd])$/.exec(value) ?? [];
  const durationMs = Number(count) * (unit === undefined ? 0 : unitsMs[unit as keyof typeof unitsMs]);
  if (!(durationMs > 0))
    throw new InvalidArgumentError('Write a whole number with its unit: "90s", "30m", "2h", "7d".');
  return durationMs;
}

/** A moment as it is typed: ISO 8601 with its zone, or so long ago: "90s", "30m", "2h", "7d". */
export function parseMoment(value: string): Date {
  const [, count, unit] = /^(\d+)([smhd])$/.exec(value) ?? [];
  if (count !== undefined) return new Date(Date.now() - Number(count) * unitsMs[unit as keyof typeof unitsMs]);
  const moment = new Date(value);
  if (
    /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/.test(value) &&
    !Number.isNaN(moment.getTime())
  ) {
    return moment;
  }
  throw new InvalidArgumentError(
    'Write "2026-11-22T09:00:00Z", "2026-11-22", or how long ago: "90s", "30m", "2h", "7d".',
  );
}
