import { formatMoney, type Money, type OrderedLine, oneLine } from "./domain.ts";

/** A part of a letter. Its texts may be anybody's: they are made one line each, and nothing in them is markup. */
export type Block =
  | { readonly type: "text"; readonly text: string }
  /** What the reader must not miss. */
  | { readonly type: "notice"; readonly text: string }
  | { readonly type: "order"; readonly lines: readonly OrderedLine[]; readonly total: Money };

/** What an e-mail says, apart from how it looks. */
export interface Letter {
  readonly subject: string;
  readonly heading: string;
  readonly blocks: readonly Block[];
}

const signature = "The Weft shop";
const footer = "You choose in your profile how we tell you of your orders.";

/** A letter as plain text. */
export function letterText({ blocks }: Letter): string {
  return `${[...blocks.map(textBlock), signature, footer].join("\n\n")}\n`;
}

/**
 * A letter as an HTML document for mail programs: styles stand at the elements, since many drop all others; the style sheet only adds
 * dark colours where they are known. The contrast of all text is at least 4.5:1 (WCAG 2.2, AA).
 */
export function letterHtml({ subject, heading, blocks }: Letter): string {
  const title = escaped(subject);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${darkStyle}</style>
</head>
<body class="paper" style="margin: 0; background: #f6f6f3; color: #17191d; font: 16px/1.55 ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Arial, sans-serif;">
<div role="main" style="max-width: 560px; margin: 0 auto; padding: 32px 20px;">
<p class="soft" style="margin: 0 0 16px; color: #5a5e66; font-weight: 600;">Weft</p>
<div class="sheet" style="background: #ffffff; border: 1px solid #dcdcd5; border-radius: 6px; padding: 28px 24px; overflow-wrap: break-word;">
<h1 style="margin: 0 0 20px; font-size: 24px; line-height: 1.2;">${escaped(heading)}</h1>
${blocks.map(htmlBlock).join("\n")}
<p style="margin: 24px 0 0;">${signature}</p>
</div>
<p class="soft" style="margin: 16px 0 0; color: #5a5e66; font-size: 14px;">${footer}</p>
</div>
</body>
</html>
`;
}

const darkStyle = `
:root { color-scheme: light dark; }
@media (prefers-color-scheme: dark) {
  .paper { background: #131416 !important; color: #eeeeea !important; }
  .sheet { background: #1c1e21 !important; border-color: #33373c !important; }
  .soft { color: #a3a8b0 !important; }
  .notice { background: #35201b !important; border-color: #ff8468 !important; }
  .rule { border-color: #33373c !important; }
}
`;

function textBlock(block: Block): string {
  if (block.type !== "order") return oneLine(block.text);
  const lines = block.lines.map(
    ({ quantity, name, unitPrice }) => `  ${quantity} x ${oneLine(name)}, ${formatMoney(unitPrice)} each`,
  );
  return [...lines, ...(lines.length > 0 ? [""] : []), `Total: ${formatMoney(block.total)}`].join("\n");
}

function htmlBlock(block: Block): string {
  if (block.type === "order") return orderTable(block);
  const text = escaped(block.text);
  return block.type === "text"
    ? `<p style="margin: 0 0 16px;">${text}</p>`
    : `<p class="notice" style="margin: 0 0 16px; padding: 12px 16px; background: #fbeae5; border-left: 4px solid #b5331c;">${text}</p>`;
}

function orderTable({ lines, total }: Extract<Block, { type: "order" }>): string {
  const wide = "padding-left: 0; overflow-wrap: anywhere;";
  const amount = "text-align: right; white-space: nowrap;";
  const last = "border-bottom: 0;";
  const heads = [
    cell("Product", { style: wide, heads: "col" }),
    cell("Quantity", { style: amount, heads: "col" }),
    cell("Each", { style: amount, heads: "col" }),
  ];
  const rows = lines.map(({ name, quantity, unitPrice }) => [
    cell(escaped(name), { style: wide }),
    cell(String(quantity), { style: amount }),
    cell(formatMoney(unitPrice), { style: amount }),
  ]);
  const sum = [
    cell("Total", { style: `${wide} ${last}`, heads: "row" }),
    cell("", { style: last }),
    cell(formatMoney(total), { style: `${amount} ${last} font-weight: 700;` }),
  ];
  const row = (cells: readonly string[]) => `<tr>${cells.join("")}</tr>`;
  return `<table style="width: 100%; border-collapse: collapse; margin: 0 0 16px;">
<thead>${row(heads)}</thead>
<tbody>${rows.map(row).join("\n")}</tbody>
<tfoot>${row(sum)}</tfoot>
</table>`;
}

function cell(html: string, { style, heads }: { readonly style: string; readonly heads?: "col" | "row" }): string {
  const box = `padding: 8px 0 8px 12px; text-align: left; vertical-align: top; border-bottom: 1px solid #dcdcd5; ${style}`;
  const [open, close] = heads === undefined ? ["td", "td"] : [`th scope="${heads}"`, "th"];
  return `<${open} class="rule" style="${box}">${html}</${close}>`;
}

const entities: Readonly<Record<string, string>> = {
  ...{ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" },
};

function escaped(text: string): string {
  return oneLine(text).replace(/[&<>"']/g, (character) => entities[character] ?? character);
}
