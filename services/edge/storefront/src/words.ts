/** "home-textiles" is "Home textiles". */
export function categoryTitle(name: string): string {
  const words = name.replaceAll("-", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** "1 thing", "3 things". */
export function counted(count: number | bigint, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en-IE")} ${BigInt(count) === 1n ? one : many}`;
}
