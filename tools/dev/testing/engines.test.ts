import { createConnection } from "mysql2/promise";
import { connect } from "nats";
import { expect, test } from "vitest";
import { startMariadb, startNats, testDatabase, testNatsUrl, testRedisUrl } from "./engines.ts";

test("testDatabase() gives a schema whose user can create a table and sees no other schema", async () => {
  await using database = await testDatabase("mine");
  await using other = await testDatabase("other");
  const connection = await createConnection(database.url);
  await connection.query("CREATE TABLE t (id BIGINT PRIMARY KEY)");
  await expect(connection.query(`CREATE TABLE ${other.name}.t (id BIGINT)`)).rejects.toThrow(/denied/);
  await connection.end();
});

test("the run's NATS and Redis answer", async () => {
  const client = await connect({ servers: await testNatsUrl() });
  expect(client.info?.jetstream).toBe(true);
  await client.close();
  expect(await testRedisUrl()).toMatch(/^redis:/);
});

test("startNats() keeps its port and its streams over a kill", async () => {
  await using nats = await startNats();
  const request = async (subject: string, body: object) => {
    const client = await connect({ servers: nats.url });
    const reply = await client.request(subject, JSON.stringify(body), { timeout: 5_000 });
    await client.close();
    return reply.json<{ error?: unknown; state?: { messages: number } }>();
  };
  expect((await request("$JS.API.STREAM.CREATE.S", { name: "S", subjects: ["s.>"] })).error).toBeUndefined();
  await request("s.one", { n: 1 });
  nats.kill("SIGKILL");
  await nats.stop();
  await nats.start();
  expect((await request("$JS.API.STREAM.INFO.S", {})).state?.messages).toBe(1);
});

test("startMariadb() keeps what was committed over a kill", async () => {
  await using mariadb = await startMariadb();
  const before = await createConnection(mariadb.url);
  await before.query("CREATE DATABASE kept");
  await before.end();
  mariadb.kill("SIGKILL");
  await mariadb.stop();
  await mariadb.start();
  const after = await createConnection(mariadb.url);
  const [rows] = await after.query("SHOW DATABASES LIKE 'kept'");
  expect(rows).toHaveLength(1);
  await after.end();
});
