/** An iterable whose first step is taken already: it begins with that and goes on with the rest. Can be iterated once. */
export async function* resumed<T>(
  first: IteratorResult<T> | Promise<IteratorResult<T>>,
  rest: AsyncIterator<T>,
): AsyncIterable<T> {
  try {
    for (let step = await first; !step.done; step = await rest.next()) yield step.value;
  } finally {
    await rest.return?.();
  }
}
