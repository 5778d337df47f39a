/** How many statements a catalog process has sent that read products and categories, by its own metrics at `host:port`. */
export async function databaseReads(metricsAddress = ""): Promise<number> {
  const text = await (await fetch(`http://${metricsAddress}/metrics`)).text();
  return text
    .split("\n")
    .filter((line) => /^db_client_operation_duration\w*_count\{.*catalog\.(find|list|search)(Prod|Cat)/.test(line))
    .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}
