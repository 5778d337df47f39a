/** The narrowest single subject that covers all: itself if there is one, else the tokens that they share and ">". */
export function commonSubject(subjects: readonly string[]): string {
  const [first, ...others] = [...new Set(subjects)].map((subject) => subject.split("."));
  if (first === undefined) throw new Error("a consumer needs at least one subject");
  if (others.length === 0) return first.join(".");
  const differs = first.findIndex((token, index) => others.some((tokens) => tokens[index] !== token));
  const shared = differs < 0 ? first.length : differs;
  // "a.b.>" does not match "a.b" itself, so the shortest one keeps a token for ">".
  const shortest = Math.min(first.length, ...others.map((tokens) => tokens.length));
  return [...first.slice(0, Math.min(shared, shortest - 1)), ">"].join(".");
}
