import { quantityMax } from "../cart.ts";
import { h } from "../dom.ts";
import { icon } from "./icons.ts";

export interface QuantityOptions {
  readonly value: number;
  readonly min: number;
  /** Of what: "Espresso Nero". */
  readonly what: string;
  readonly onChange?: (value: number) => void;
}

/** A number between two buttons. */
export function quantity({ value, min, what, onChange }: QuantityOptions): { node: HTMLElement; value(): number } {
  const input = h("input", {
    ...{ type: "number", class: "quantity-input", inputmode: "numeric", min, max: quantityMax, value },
    "aria-label": `Quantity of ${what}`,
  });
  const read = (): number => {
    const asked = Math.trunc(Number(input.value));
    return Number.isFinite(asked) ? Math.min(Math.max(asked, min), quantityMax) : min;
  };
  const set = (next: number): void => {
    input.value = String(Math.min(Math.max(next, min), quantityMax));
    onChange?.(read());
  };
  input.addEventListener("change", () => set(read()));
  const step = (name: "minus" | "plus", by: number) =>
    h(
      "button",
      {
        ...{ type: "button", class: "icon-button", onclick: () => set(read() + by) },
        "aria-label": `${by < 0 ? "One less" : "One more"} of ${what}`,
      },
      icon(name),
    );
  return { node: h("div", { class: "quantity" }, step("minus", -1), input, step("plus", 1)), value: read };
}
