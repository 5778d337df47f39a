/** How much later a slowed replica answers. */
export const slowMs = 500;

export const keysHelp = `keys: 1-9 choose a replica; then f freeze, s slow by ${slowMs} ms, k kill (again: undo), r restart; w way; q quit`;
