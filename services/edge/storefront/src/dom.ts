/** What can stand inside an element; false, null and undefined are nothing. */
export type Child = Node | string | number | false | null | undefined | readonly Child[];

/** Attributes by their names in HTML; a function under "onclick" and the like listens. False and undefined: left out. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined | ((event: Event) => void)>>;

const svgNamespace = "http://www.w3.org/2000/svg";

/** Makes an element. Text stays text: nothing of it is read as HTML. */
export function h<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  setAttributes(element, attributes);
  append(element, children);
  return element;
}

/** Makes an SVG element. */
export function s<Name extends keyof SVGElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: Child[]
): SVGElementTagNameMap[Name] {
  const element = document.createElementNS(svgNamespace, name);
  setAttributes(element, attributes);
  append(element, children);
  return element;
}

/** Puts these in the place of what was inside. */
export function fill(element: Element, ...children: Child[]): void {
  element.replaceChildren();
  append(element, children);
}

/** Like fill; a link in use keeps the focus, if it is among the new ones. */
export function refill(element: Element, ...children: Child[]): void {
  const { activeElement } = document;
  const href = element.contains(activeElement) ? activeElement?.getAttribute("href") : undefined;
  fill(element, ...children);
  if (href) element.querySelector<HTMLElement>(`[href="${CSS.escape(href)}"]`)?.focus({ preventScroll: true });
}

function setAttributes(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

function append(parent: Element, children: readonly Child[]): void {
  for (const child of children) {
    if (child === undefined || child === null || child === false) continue;
    if (Array.isArray(child)) append(parent, child as readonly Child[]);
    else parent.append(child instanceof Node ? child : String(child));
  }
}
