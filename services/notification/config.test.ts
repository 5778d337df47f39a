import { SettingError } from "@weft/mesh/contract";
import { expect, test } from "vitest";
import { loadConfig } from "./config.ts";

const env = {
  ...{ WEFT_GRPC_ADDR: "127.0.0.1:7160", WEFT_HEALTH_ADDR: "127.0.0.1:7161", WEFT_METRICS_ADDR: "127.0.0.1:7162" },
  ...{ WEFT_CERT_DIR: "/certs", MYSQL_URL: "mysql://a@b/c", NATS_URL: "nats://a:1", SMTP_URL: "smtp://a:1" },
  ...{ MAIL_FROM: "shop@weft.local", WEBHOOK_URL: "http://a:1" },
};

test.each([
  [{ WEBHOOK_SECRET: "whsec_x" }, { setting: "WEBHOOK_SECRET", text: "whsec_x" }],
  [{ WEBHOOK_SECRET_FILE: "/secret" }, { setting: "WEBHOOK_SECRET_FILE", file: "/secret" }],
])("%o is where the secret is", (setting, webhookSecret) => {
  expect(loadConfig({ ...env, ...setting }).webhookSecret).toEqual(webhookSecret);
});

test.each([[{}], [{ WEBHOOK_SECRET: "whsec_x", WEBHOOK_SECRET_FILE: "/secret" }]])(
  "%o stops the start, and both settings are named but not what is in them",
  (setting) => {
    const load = () => loadConfig({ ...env, ...setting });
    expect(load).toThrow(SettingError);
    expect(load).toThrow(/WEBHOOK_SECRET .*WEBHOOK_SECRET_FILE/);
    expect(load).not.toThrow(/whsec_x/);
  },
);
