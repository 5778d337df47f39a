const dayAndTime = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const toTheSecond = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: "UTC" });

/** "14:05", in UTC: for reports, whose days are. */
export function clockTime(epochMs: number): string {
  return clock.format(epochMs);
}

/** "22 Nov 2026, 14:05" */
export function formatTime(epochMs: number): string {
  return dayAndTime.format(epochMs);
}

/** "22 Nov 2026, 14:05:09" */
export function formatSecond(epochMs: number): string {
  return toTheSecond.format(epochMs);
}

const units = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
] as const;
const relative = new Intl.RelativeTimeFormat("en-GB", { numeric: "always" });

/** "3 minutes ago"; "just now" in the first minute, and where the server's clock is ahead. */
export function formatAgo(epochMs: number, nowMs: number): string {
  const agoMs = nowMs - epochMs;
  const [unit, lengthMs] = units.find(([, ms]) => agoMs >= ms) ?? [];
  return unit === undefined ? "just now" : relative.format(-Math.floor(agoMs / lengthMs), unit);
}
