/** A day in UTC, as the contract writes it: "2026-11-22". */
export type Day = string;

export const dayMs = 86_400_000;

const long = new Intl.DateTimeFormat("en-GB", {
  ...{ weekday: "long", day: "numeric", month: "long", year: "numeric", timeZone: "UTC" },
});

/** The day that a moment belongs to. */
export function dayOf(epochMs: number): Day {
  return new Date(epochMs).toISOString().slice(0, 10);
}

/** A day's first moment. */
export function startOf(day: Day): number {
  return Date.parse(`${day}T00:00:00Z`);
}

/** So many days later. */
export function addDays(day: Day, days: number): Day {
  return dayOf(startOf(day) + days * dayMs);
}

/** What somebody has written into the address, if it is a day of the calendar. */
export function parseDay(text: string | null): Day | undefined {
  if (text === null || !/^\d{4}-\d{2}-\d{2}$/.test(text)) return undefined;
  const atMs = startOf(text);
  // The 30th of February parses, as the 2nd of March.
  return Number.isNaN(atMs) || dayOf(atMs) !== text ? undefined : text;
}

/** "Sunday, 22 November 2026" */
export function formatDay(day: Day): string {
  return long.format(startOf(day));
}
