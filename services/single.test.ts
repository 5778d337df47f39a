import { SettingError } from "@weft/mesh/contract";
import { describe, expect, test } from "vitest";
import { environmentOf, loadMembers, type Member, members, type Startable, startMembers } from "./single.ts";

describe("environmentOf()", () => {
  const env = {
    LOG_LEVEL: "info",
    ORDER__LOG_LEVEL: "debug",
    ORDER__MYSQL_URL: "mysql://order",
    USER__MYSQL_URL: "mysql://user",
  };

  test("puts a service's own settings over the shared ones", () => {
    expect(environmentOf("order", env)).toEqual({ LOG_LEVEL: "debug", MYSQL_URL: "mysql://order" });
  });

  test("shows a service nothing of another's", () => {
    expect(environmentOf("edge", env)).toEqual({ LOG_LEVEL: "info" });
  });
});

describe("loadMembers()", () => {
  test("names service and setting of one that is missing, before anything starts", () => {
    expect(() => loadMembers({})).toThrow(SettingError);
    expect(() => loadMembers({})).toThrow(/^user: WEFT_GRPC_ADDR/);
  });

  test("knows every service of the shop, each after those it asks", () => {
    const names = members.map(({ name }) => name);
    const before = ["user", "catalog", "inventory", "payment", "order", "notification"];
    expect(names).toEqual([...before, "cart", "analytics", "recommendation", "edge"]);
  });

  test("hands each service its own part of the environment", () => {
    const seen: unknown[] = [];
    const probe: Member = {
      name: "probe",
      load(env) {
        seen.push(env);
        return async () => ({ async [Symbol.asyncDispose]() {} });
      },
    };
    loadMembers({ A: "1", PROBE__B: "2", ORDER__C: "3" }, [probe]);
    expect(seen).toEqual([{ A: "1", B: "2" }]);
  });
});

describe("startMembers()", () => {
  function recorded(log: string[], name: string): Startable {
    return {
      name,
      async start() {
        log.push(`${name} up`);
        return {
          async [Symbol.asyncDispose]() {
            log.push(`${name} down`);
          },
        };
      },
    };
  }

  test("starts in order and stops in reverse", async () => {
    const log: string[] = [];
    const running = await startMembers([recorded(log, "user"), recorded(log, "order"), recorded(log, "edge")]);
    await running[Symbol.asyncDispose]();
    expect(log).toEqual(["user up", "order up", "edge up", "edge down", "order down", "user down"]);
  });

  test("names the service that does not start, and stops those before it", async () => {
    const log: string[] = [];
    const failing: Startable = { name: "order", start: () => Promise.reject(new Error("no database")) };
    const starting = startMembers([recorded(log, "user"), failing, recorded(log, "edge")]);
    await expect(starting).rejects.toThrow("order did not start: no database");
    expect(log).toEqual(["user up", "user down"]);
  });

  test("keeps a setting's complaint a setting's complaint", async () => {
    const failing: Startable = {
      name: "user",
      start: () => Promise.reject(new SettingError("TOKEN_KEY_FILE is no key")),
    };
    await expect(startMembers([failing])).rejects.toThrow(new SettingError("user: TOKEN_KEY_FILE is no key"));
  });
});
