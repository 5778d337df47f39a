import { expect, test } from "vitest";
import { environmentOf } from "../../../services/single.ts";
import { type EnvironmentOptions, SCHEMA_OWNERS, serviceEnvironment, singleEnvironment } from "./environment.ts";
import { listeners, portsFromBase, SERVICE_NAMES } from "./ports.ts";

const options: EnvironmentOptions = {
  ports: portsFromBase(7000, 8080),
  certDirectory: "/certs",
  tokenKeyFile: "/token-key.pem",
  natsUrl: "nats://127.0.0.1:7002",
  redisUrl: "redis://127.0.0.1:7003",
  mysqlUrls: new Map(SCHEMA_OWNERS.map((name) => [name, `mysql://shop_${name}@127.0.0.1:7001/shop_${name}`])),
  extra: { LOG_LEVEL: "debug", ORDER__LOG_LEVEL: "error" },
};

test("a service is told its own ports, identity, schema and where the others are", () => {
  expect(serviceEnvironment("order", options)).toMatchObject({
    WEFT_GRPC_ADDR: "127.0.0.1:7140",
    WEFT_HEALTH_ADDR: "127.0.0.1:7141",
    WEFT_METRICS_ADDR: "127.0.0.1:7142",
    WEFT_CERT_DIR: "/certs/order",
    MYSQL_URL: "mysql://shop_order@127.0.0.1:7001/shop_order",
    WEFT_DISCOVERY: "nats:shop",
  });
  expect(serviceEnvironment("edge", options)).not.toHaveProperty("MYSQL_URL");
  expect(serviceEnvironment("order", options)).not.toHaveProperty("REDIS_URL");
  const cart = serviceEnvironment("cart", options);
  expect(cart).toMatchObject({ WEFT_GRPC_ADDR: "127.0.0.1:7170", REDIS_URL: "redis://127.0.0.1:7003" });
  expect(cart).not.toHaveProperty("MYSQL_URL");
});

test("what a person asks for goes to all services, with a prefix to one", () => {
  expect(serviceEnvironment("user", options)).toMatchObject({ LOG_LEVEL: "debug" });
  expect(serviceEnvironment("order", options)).toMatchObject({ LOG_LEVEL: "error" });
  expect(Object.keys(serviceEnvironment("order", options)).filter((name) => name.includes("__"))).toEqual([]);
});

test.each(SERVICE_NAMES)("%s reads the same settings in a process of its own and in the shared one", (service) => {
  // In the shared one nobody has to be found.
  const { WEFT_DISCOVERY: _, ...settings } = serviceEnvironment(service, options);
  expect(environmentOf(service, singleEnvironment(options))).toMatchObject(settings);
});

test("no two things share a port", () => {
  const ports = listeners(portsFromBase(7000, 8080)).map(({ port }) => port);
  expect(new Set(ports).size).toBe(ports.length);
});
