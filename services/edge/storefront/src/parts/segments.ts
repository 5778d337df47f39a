import { h } from "../dom.ts";

export interface SegmentsOptions<Value extends string> {
  /** What one chooses. */
  readonly label: string;
  /** Unique on the page. */
  readonly name: string;
  /** The first is chosen at the start. */
  readonly options: readonly [
    readonly [value: Value, words: string],
    ...(readonly (readonly [value: Value, words: string])[]),
  ];
  readonly onChange: () => void;
}

/** One of a few, side by side: radio buttons that look like a switch. */
export function segments<Value extends string>(
  options: SegmentsOptions<Value>,
): { readonly node: HTMLElement; value(): Value } {
  const { label, name, onChange } = options;
  const [[first]] = options.options;
  let chosen = first;
  const choices = options.options.map(([value, words]) => {
    const choose = (): void => {
      chosen = value;
      onChange();
    };
    const input = h("input", {
      type: "radio",
      name,
      value,
      ...(value === first && { checked: true }),
      onchange: choose,
    });
    return h("label", { class: "segment" }, input, h("span", {}, words));
  });
  return {
    node: h("fieldset", { class: "segments" }, h("legend", { class: "hidden" }, label), choices),
    value: () => chosen,
  };
}
