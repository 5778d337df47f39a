import { s } from "../dom.ts";

const paths = {
  search: "M10.5 4a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13ZM15.2 15.2 20 20",
  cart: "M3 4.5h2.5l2.4 11.2h9.8L20 8H6.3M9.5 19.8a.7.7 0 1 0 0-1.4.7.7 0 0 0 0 1.4ZM16.5 19.8a.7.7 0 1 0 0-1.4.7.7 0 0 0 0 1.4Z",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM4.5 20c1-3.6 4-5 7.5-5s6.5 1.4 7.5 5",
  box: "M4 8l8-4 8 4v8l-8 4-8-4V8Zm0 0 8 4 8-4M12 12v8",
  shelf: "M4 4v16M20 4v16M4 11h16M4 19h16M7.5 11V6.5h5V11M12 19v-4.5h5V19",
  chart: "M4 4v16h16M8.5 16v-4M13 16V8M17.5 16v-6",
  check: "M5 12.5l4.5 4.5L19 7.5",
  cross: "M6 6l12 12M18 6L6 18",
  minus: "M6 12h12",
  plus: "M6 12h12M12 6v12",
  arrow: "M5 12h14M13 6l6 6-6 6",
};

/** A picture of a word that stands beside it or labels it; hidden from screen readers. */
export function icon(name: keyof typeof paths): SVGSVGElement {
  return s(
    "svg",
    { class: "icon", viewBox: "0 0 24 24", width: 24, height: 24, "aria-hidden": "true", focusable: "false" },
    s("path", { d: paths[name] }),
  );
}
