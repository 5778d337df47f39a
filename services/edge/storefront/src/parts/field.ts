import { type Attributes, h } from "../dom.ts";
import { fieldFailures } from "../failure.ts";
import { failureNotice } from "./notice.ts";

/** A labelled input with room for a hint and for what is wrong. */
export interface Field {
  readonly node: HTMLElement;
  readonly input: HTMLInputElement;
  /** The field's name in the contract. */
  readonly name: string;
  fail(message: string): void;
}

export interface FieldOptions {
  readonly name: string;
  readonly label: string;
  readonly hint?: string;
  readonly attributes?: Attributes;
}

export function field({ name, label, hint, attributes = {} }: FieldOptions): Field {
  const id = `field-${name.replaceAll(/\W/g, "-")}`;
  const error = h("p", { class: "field-error", id: `${id}-error` });
  const input = h("input", {
    ...{ id, name, class: "input", type: "text" },
    "aria-describedby": hint ? `${id}-hint ${id}-error` : `${id}-error`,
    ...attributes,
  });
  const fail = (message: string): void => {
    error.textContent = message;
    if (message === "") input.removeAttribute("aria-invalid");
    else input.setAttribute("aria-invalid", "true");
  };
  input.addEventListener("input", () => fail(""));
  const node = h(
    "div",
    { class: "field" },
    h("label", { for: id }, label),
    hint && h("p", { class: "field-hint", id: `${id}-hint` }, hint),
    input,
    error,
  );
  return { node, input, name, fail };
}

export function checkbox(
  name: string,
  label: string,
  checked: boolean,
): { node: HTMLElement; input: HTMLInputElement } {
  const input = h("input", { type: "checkbox", name, ...(checked && { checked: true }) });
  return { node: h("label", { class: "check" }, input, h("span", {}, label)), input };
}

export interface FormOptions {
  readonly fields: readonly Field[];
  readonly content: readonly Node[];
  readonly submitLabel: string;
  /** Rejections are shown: at their field where they name one, else above the button. */
  readonly submit: () => Promise<void>;
  /** Better words for an error, if there are. */
  readonly explain?: (error: unknown) => string | undefined;
}

/** A form that sends once at a time and tells what went wrong. */
export function form({ fields, content, submitLabel, submit, explain }: FormOptions): HTMLFormElement {
  const button = h("button", { type: "submit", class: "button" }, submitLabel);
  const problem = h("div", { class: "form-problem" });
  const showProblem = (error: unknown): void => {
    const failures = fieldFailures(error);
    const failed = fields.filter(({ name }) => failures.has(name));
    for (const each of failed) each.fail(failures.get(each.name) ?? "");
    failed[0]?.input.focus();
    if (failed.length > 0) return;
    const words = explain?.(error);
    problem.replaceChildren(
      words === undefined
        ? failureNotice(error, () => void send())
        : h("p", { class: "notice notice-error", role: "alert" }, words),
    );
  };
  const send = async (): Promise<void> => {
    if (button.disabled) return;
    if (!checkFields(fields)) return;
    button.disabled = true;
    problem.replaceChildren();
    try {
      await submit();
    } catch (error) {
      showProblem(error);
    } finally {
      button.disabled = false;
    }
  };
  const onsubmit = (event: Event): void => {
    event.preventDefault();
    void send();
  };
  return h("form", { class: "form", novalidate: true, onsubmit }, ...content, problem, button);
}

/** The browser's own rules, told at each field; the first one that fails is focused. */
function checkFields(fields: readonly Field[]): boolean {
  const failed = fields.filter(({ input }) => !input.validity.valid);
  for (const each of failed) each.fail(whatIsWrong(each.input));
  failed[0]?.input.focus();
  return failed.length === 0;
}

/** In our words where we have any: the browser's speak of "this field". */
function whatIsWrong({ validity, title, validationMessage, minLength }: HTMLInputElement): string {
  if (validity.valueMissing) return "Please fill this in.";
  if (validity.typeMismatch) return "This does not look like an e-mail address.";
  if (validity.tooShort) return `Please use at least ${minLength} characters.`;
  return title || validationMessage;
}
