const dayAndTime = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const toTheSecond = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

/** "22 Nov 2026, 14:05" */
export function formatTime(epochMs: number): string {
  return dayAndTime.format(epochMs);
}

/** "22 Nov 2026, 14:05:09" */
export function formatSecond(epochMs: number): string {
  return toTheSecond.format(epochMs);
}
