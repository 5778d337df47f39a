/** What a Markdown document refers to. Line numbers start at 1. */
export interface Document {
  /** Targets of [text](target) and ![alt](target), outside of code. */
  readonly links: readonly Found[];
  /** Inline code. */
  readonly spans: readonly Found[];
  /** Fenced blocks of code. */
  readonly blocks: readonly Found[];
  /** The anchors of its headings, as GitHub makes them. */
  readonly anchors: readonly string[];
}

export interface Found {
  readonly line: number;
  readonly text: string;
}

/** Reads the parts of a document that can be wrong about the repository. */
export function parseMarkdown(text: string): Document {
  const links: Found[] = [];
  const spans: Found[] = [];
  const blocks: Found[] = [];
  const anchors: string[] = [];
  let block: { line: number; fence: string; lines: string[] } | undefined;
  for (const [index, content] of text.split("\n").entries()) {
    const line = index + 1;
    const fence = /^\s*(```+|~~~+)/.exec(content)?.[1];
    if (block && fence === block.fence) {
      blocks.push({ line: block.line, text: block.lines.join("\n") });
      block = undefined;
    } else if (block) {
      block.lines.push(content);
    } else if (fence !== undefined) {
      block = { line, fence, lines: [] };
    } else {
      spans.push(...matches(content, /`([^`]+)`/g, line));
      links.push(...matches(content.replaceAll(/`[^`]*`/g, "code"), /\]\(\s*<?([^)\s>]+)/g, line));
      const heading = /^#{1,6}\s+(.*)$/.exec(content)?.[1];
      if (heading !== undefined) anchors.push(anchorOf(heading));
    }
  }
  return { links, spans, blocks, anchors };
}

function matches(text: string, pattern: RegExp, line: number): Found[] {
  return [...text.matchAll(pattern)].map((match) => ({ line, text: match[1] ?? "" }));
}

function anchorOf(heading: string): string {
  const words = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
  return words
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replaceAll(/\s/g, "-");
}
