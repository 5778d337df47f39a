import { create, createFileRegistry, createRegistry } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { file_buf_validate_validate } from "@weft/mesh/gen/buf/validate/validate_pb.js";
import { file_weft_v1_options } from "@weft/mesh/gen/weft/v1/options_pb.js";
import { describe, expect, test } from "vitest";
import { file_shop_api_v1_account } from "../../../gen/shop/api/v1/account_pb.ts";
import { file_shop_api_v1_catalog } from "../../../gen/shop/api/v1/catalog_pb.ts";
import { file_shop_order_v1_events } from "../../../gen/shop/order/v1/events_pb.ts";
import { file_shop_order_v1_order } from "../../../gen/shop/order/v1/order_pb.ts";
import { type Describable, formatDefinition } from "./definitions.ts";

const registry = createRegistry(
  file_buf_validate_validate,
  file_weft_v1_options,
  file_shop_order_v1_order,
  file_shop_order_v1_events,
  file_shop_api_v1_account,
  file_shop_api_v1_catalog,
);

function describeSymbol(name: string): string {
  const [typeName = "", method] = name.split("/");
  const type = registry.get(typeName);
  const found = method === undefined ? type : registry.getService(typeName)?.method[method];
  return formatDefinition(found as Describable, registry);
}

describe("a description", () => {
  test("of a service shows policies of service and methods", () => {
    expect(describeSymbol("shop.order.v1.OrderService")).toMatch(/^service OrderService \{[\s\S]*\n\}\n$/);
    expect(describeSymbol("shop.order.v1.OrderService")).toContain(`\
service OrderService {
  option (weft.v1.service) = {default_timeout: {seconds: 2}};

  rpc PlaceOrder(shop.order.v1.PlaceOrderRequest) returns (shop.order.v1.PlaceOrderResponse) {
    option idempotency_level = IDEMPOTENT;
    option (weft.v1.method) = {
      timeout: {seconds: 5}
      retry: {max_attempts: 2 initial_backoff: {nanos: 50000000} max_backoff: {nanos: 500000000}}
      required_scopes: "customer"
      idempotency_key: KEY_SOURCE_FIELD
      idempotency_key_field: "idempotency_key"
      criticality: CRITICALITY_CRITICAL
    };
  }

  rpc GetOrder(shop.order.v1.GetOrderRequest) returns (shop.order.v1.GetOrderResponse) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (weft.v1.method) = {
      retry: {max_attempts: 3 initial_backoff: {nanos: 20000000} max_backoff: {nanos: 200000000}}
    };
  }

  rpc WatchOrder(shop.order.v1.WatchOrderRequest) returns (stream shop.order.v1.WatchOrderResponse) {
    option idempotency_level = NO_SIDE_EFFECTS;
  }
`);
  });

  test("of a method shows its messages too", () => {
    const text = describeSymbol("shop.api.v1.AccountService/logIn");
    expect(text).toContain("rpc LogIn(shop.api.v1.LogInRequest) returns (shop.api.v1.LogInResponse) {");
    expect(text).toContain(`\
message LogInResponse {
  string access_token = 1 [debug_redact = true];
  google.protobuf.Duration expires_in = 2;
  string user_id = 3;
}
`);
  });

  test("of a message shows validation rules, redaction and optional fields", () => {
    expect(describeSymbol("shop.api.v1.RegisterRequest")).toContain(`\
  string email = 1 [
    debug_redact = true,
    (buf.validate.field) = {string: {max_len: 254 email: true}}
  ];
`);
    expect(describeSymbol("shop.api.v1.GetProductResponse")).toContain("  optional int64 available = 2;\n");
  });

  test("of an event shows its subject and key", () => {
    expect(describeSymbol("shop.order.v1.OrderCancelled")).toContain(
      '  option (weft.v1.event) = {subject: "shop.order.v1.OrderCancelled" key: "order_id"};\n',
    );
  });

  test("of an enum lists its values", () => {
    expect(describeSymbol("shop.order.v1.OrderState")).toMatch(
      /^enum OrderState \{\n {2}ORDER_STATE_UNSPECIFIED = 0;\n/,
    );
  });

  test("shows oneofs, maps, nested types, reserved ranges, and comments where the descriptor has them", () => {
    const file = create(FileDescriptorProtoSchema, {
      name: "demo.proto",
      package: "demo",
      syntax: "proto3",
      messageType: [
        {
          name: "Demo",
          field: [
            { name: "a", number: 1, type: 9, label: 1, oneofIndex: 0, jsonName: "a" },
            { name: "b", number: 2, type: 5, label: 1, oneofIndex: 0, jsonName: "b" },
            { name: "counts", number: 3, type: 11, label: 3, typeName: ".demo.Demo.CountsEntry", jsonName: "counts" },
          ],
          oneofDecl: [{ name: "choice" }],
          nestedType: [
            {
              name: "CountsEntry",
              options: { mapEntry: true },
              field: [
                { name: "key", number: 1, type: 9, label: 1, jsonName: "key" },
                { name: "value", number: 2, type: 3, label: 1, jsonName: "value" },
              ],
            },
            { name: "Empty" },
          ],
          reservedRange: [
            { start: 8, end: 9 },
            { start: 10, end: 20 },
          ],
          reservedName: ["old"],
        },
      ],
      sourceCodeInfo: {
        location: [
          { path: [4, 0], span: [0, 0, 0], leadingComments: " A demo.\n Of two lines.\n" },
          { path: [4, 0, 2, 2], span: [0, 0, 0], leadingComments: " How many.\n" },
        ],
      },
    });
    const files = createFileRegistry(create(FileDescriptorSetSchema, { file: [file] }));
    expect(formatDefinition(files.getMessage("demo.Demo") as Describable, files)).toBe(`\
// A demo.
// Of two lines.
message Demo {
  message Empty {}

  oneof choice {
    string a = 1;
    int32 b = 2;
  }
  // How many.
  map<string, int64> counts = 3;

  reserved 8, 10 to 19;
  reserved "old";
}
`);
  });
});
