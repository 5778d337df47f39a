import type { Money } from "../../../../gen/shop/type/v1/money_pb.ts";

const formats = (currency: string) => new Intl.NumberFormat("en-IE", { style: "currency", currency });

/** "€19.99", "¥1,999". Exact for any amount: no floating point on the way. */
export function formatMoney({ currencyCode, minorUnits }: Pick<Money, "currencyCode" | "minorUnits">): string {
  const format = formats(currencyCode);
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2;
  const sign = minorUnits < 0n ? "-" : "";
  const text = (minorUnits < 0n ? -minorUnits : minorUnits).toString().padStart(digits + 1, "0");
  const whole = text.slice(0, text.length - digits);
  const fraction = text.slice(text.length - digits);
  return format.format(`${sign}${whole}${fraction && `.${fraction}`}` as Intl.StringNumericLiteral);
}

/** So many of them. */
export function times(money: Money, quantity: number): Pick<Money, "currencyCode" | "minorUnits"> {
  return { currencyCode: money.currencyCode, minorUnits: money.minorUnits * BigInt(quantity) };
}

/** "€1.5K", for a place too small for all digits. */
export function formatRoundMoney(currencyCode: string, minorUnits: number): string {
  const digits = formats(currencyCode).resolvedOptions().maximumFractionDigits ?? 2;
  const style = { style: "currency", currency: currencyCode, notation: "compact", maximumFractionDigits: 1 } as const;
  return new Intl.NumberFormat("en-IE", style).format(minorUnits / 10 ** digits);
}
