import type { WorkloadName } from "../workloads.ts";
import { type PeerName, peers } from "./peers.ts";
import type { PeerRow, Row } from "./report.ts";

const panel = { width: 400, height: 300, left: 62, top: 54, gap: 86 };
const legend = { width: 206, lineHeight: 24 };
const width = panel.left + panel.width * 2 + panel.gap + legend.width;
const height = panel.top + panel.height + 54;

const colors: Partial<Readonly<Record<PeerName, string>>> = {
  weft: "#d1242f",
  "weft-grpc": "#bc4c00",
  "grpc-js": "#0969da",
  "connect-node": "#8250df",
  nestjs: "#bf3989",
  moleculer: "#1a7f37",
  nginx: "#9a6700",
  tcp: "#818b98",
};

interface Line {
  readonly peer: PeerName;
  /** One for each number in flight, in order. */
  readonly values: readonly number[];
}

/** Throughput and p99 over the number of calls in flight, as SVG: logarithmic, so that equal ratios are equal distances. */
export function plot(rows: readonly Row[], workload: WorkloadName, title: string): string {
  const own = rows.filter((row) => row.workload === workload).sort((a, b) => a.inFlight - b.inFlight);
  const names = (Object.keys(colors) as PeerName[]).filter((name) => own.every((row) => find(row, name)));
  const linesOf = (figure: (row: PeerRow) => number): Line[] =>
    names.map((peer) => ({ peer, values: own.flatMap((row) => find(row, peer) ?? []).map(figure) }));
  const inFlights = own.map((row) => row.inFlight);
  const secondLeft = panel.left + panel.width + panel.gap;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="13" fill="#1f2328">
<rect width="${width}" height="${height}" rx="6" fill="#ffffff"/>
<text x="${panel.left}" y="24" font-size="15" font-weight="600">${escapeText(title)}</text>
${panelOf(
  panel.left,
  "calls a second, more is better",
  inFlights,
  linesOf((row) => row.callsPerSecond),
)}
${panelOf(
  secondLeft,
  "p99 in ms, less is better",
  inFlights,
  linesOf((row) => row.p99Ms),
)}
${legendOf(secondLeft + panel.width + 22, names)}
</svg>
`;
}

const find = (row: Row, name: PeerName): PeerRow | undefined => row.peers.find(({ peer }) => peer === name);

function panelOf(left: number, caption: string, inFlights: readonly number[], lines: readonly Line[]): string {
  const all = lines.flatMap(({ values }) => values);
  const [low, high] = [Math.floor(Math.log10(Math.min(...all))), Math.ceil(Math.log10(Math.max(...all)))];
  const bottom = panel.top + panel.height;
  const x = (index: number): number => left + 20 + (index * (panel.width - 40)) / Math.max(1, inFlights.length - 1);
  const y = (value: number): number => bottom - ((Math.log10(value) - low) / Math.max(1, high - low)) * panel.height;
  const decades = Array.from({ length: high - low + 1 }, (_, index) => low + index);
  const grid = decades.map(
    (decade) => `<path d="M${left} ${y(10 ** decade)}h${panel.width}" stroke="#d1d9e0"/>
<text x="${left - 8}" y="${y(10 ** decade) + 4}" text-anchor="end" fill="#59636e">${tickOf(10 ** decade)}</text>`,
  );
  const ticks = inFlights.map(
    (inFlight, index) =>
      `<text x="${x(index)}" y="${bottom + 20}" text-anchor="middle" fill="#59636e">${inFlight}</text>`,
  );
  const drawn = lines.map(({ peer, values }) => {
    const points = values.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`);
    const dots = points.map((point) => `<circle cx="${point.replace(",", '" cy="')}" r="3.5"/>`).join("");
    const stroke = peer === "weft" ? 3 : 1.75;
    return `<g stroke="${colors[peer]}" fill="${colors[peer]}"><polyline points="${points.join(" ")}" fill="none" stroke-width="${stroke}"/>${dots}</g>`;
  });
  return [
    `<text x="${left}" y="${panel.top - 10}" fill="#59636e">${caption}</text>`,
    ...grid,
    ...ticks,
    `<text x="${left + panel.width / 2}" y="${bottom + 42}" text-anchor="middle" fill="#59636e">calls in flight</text>`,
    ...drawn,
  ].join("\n");
}

function legendOf(left: number, names: readonly PeerName[]): string {
  const lines = names.map((name, index) => {
    const y = panel.top + 12 + index * legend.lineHeight;
    const weight = name === "weft" ? ' font-weight="600"' : "";
    return `<path d="M${left} ${y}h20" stroke="${colors[name]}" stroke-width="3"/><text x="${left + 28}" y="${y + 4}"${weight}>${escapeText(peers[name].title)}</text>`;
  });
  return lines.join("\n");
}

function tickOf(value: number): string {
  if (value >= 1_000_000) return `${value / 1_000_000}M`;
  return value >= 1_000 ? `${value / 1_000}k` : String(Number(value.toFixed(3)));
}

function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
