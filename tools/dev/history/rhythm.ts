import { createDraw, type Random } from "./chance.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** How busy an hour of the day is: little at night, a bump at lunch, most after dinner. */
const HOURS = [
  ...[0.25, 0.12, 0.07, 0.05, 0.05, 0.1, 0.3, 0.55, 0.8, 0.95, 1.05, 1.1],
  ...[1.25, 1.15, 1, 1, 1.05, 1.2, 1.45, 1.75, 1.9, 1.7, 1.1, 0.55],
];
/** From Sunday on. */
const WEEKDAYS = [1.3, 1, 0.92, 0.95, 1.05, 0.85, 1.1];
/** So much busier is the last day than the first. */
const GROWTH = 0.25;
/** So much does a day differ from the others of its kind. */
const MOOD = 0.12;

/** Moments (epoch ms) between two others, in order: by the hour, by the day of the week, and a little more from day to day. */
export function momentsOfBusiness(
  count: number,
  { fromMs, untilMs }: { readonly fromMs: number; readonly untilMs: number },
  random: Random,
): number[] {
  const starts: number[] = [];
  for (let at = Math.floor(fromMs / HOUR_MS) * HOUR_MS; at < untilMs; at += HOUR_MS) starts.push(at);
  const moods = new Map<number, number>();
  const weights = starts.map((at) => {
    const day = Math.floor(at / DAY_MS);
    const mood = moods.get(day) ?? 1 + MOOD * (2 * random() - 1);
    moods.set(day, mood);
    const date = new Date(at);
    const growth = 1 + (GROWTH * (at - fromMs)) / (untilMs - fromMs);
    const share = (Math.min(at + HOUR_MS, untilMs) - Math.max(at, fromMs)) / HOUR_MS;
    return (HOURS[date.getUTCHours()] ?? 1) * (WEEKDAYS[date.getUTCDay()] ?? 1) * mood * growth * share;
  });
  const draw = createDraw(weights);
  const moments = Array.from({ length: count }, () => {
    const start = starts[draw(random)] ?? fromMs;
    const [first, last] = [Math.max(start, fromMs), Math.min(start + HOUR_MS, untilMs)];
    return Math.floor(first + random() * (last - first));
  });
  return moments.sort((a, b) => a - b);
}

/** The next moment at or after `atMs` at which people work: Monday to Friday (Saturday too, if carriers do), from 8 to 17. */
export function nextWorkingMoment(atMs: number, random: Random, daysOff: readonly number[] = [0, 6]): number {
  for (let at = atMs; ; ) {
    const date = new Date(at);
    const isDayOff = daysOff.includes(date.getUTCDay());
    if (!isDayOff && date.getUTCHours() >= 8 && date.getUTCHours() < 17) return at;
    const opening = Math.floor(at / DAY_MS) * DAY_MS + 8 * HOUR_MS;
    // What has come in overnight is done in the course of the morning.
    at = (opening > at && !isDayOff ? opening : opening + DAY_MS) + random() * 2.5 * HOUR_MS;
    if (daysOff.includes(new Date(at).getUTCDay())) at = Math.floor(at / DAY_MS) * DAY_MS + DAY_MS;
  }
}
