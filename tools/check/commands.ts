/** The commands of a piece of shell text, each as its words: "$ FOO=1 make up && npx weft ps" gives make up, npx weft ps. */
export function shellCommands(text: string): string[][] {
  return text
    .replaceAll(/\\\n/g, " ")
    .split("\n")
    .flatMap((line) => line.replace(/(^|\s)#.*$/, "").split(/&&|\|\||[;|()]/))
    .map((command) => withoutPrefix(command.trim().split(/\s+/)))
    .filter((words) => words.length > 0);
}

/** The targets that a command asks make for; none if it is not make. */
export function makeTargets(words: readonly string[]): string[] {
  if (words[0] !== "make") return [];
  return words.slice(1).filter((word) => /^[a-z]/i.test(word) && !word.includes("="));
}

/** The command that weft is asked for, run in any of the usual ways; undefined if it is not weft, or only a flag is given. */
export function weftCommand(words: readonly string[]): string | undefined {
  const rest = words[0] === "npx" ? words.slice(1) : words;
  const command = rest[0] === "weft" ? rest[1] : undefined;
  return command && /^[a-z]/.test(command) ? command : undefined;
}

/** Without prompt, variables and words that only start another command. */
function withoutPrefix(words: readonly string[]): string[] {
  const first = words.findIndex((word) => !/^(\$|sudo|time|[A-Za-z_]\w*=.*|)$/.test(word));
  return first === -1 ? [] : words.slice(first);
}
