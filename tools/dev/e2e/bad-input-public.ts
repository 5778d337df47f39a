export const sku = "COF-ESPRESSO-250";
export const invalid = "400 invalid_argument";
const nobody = "401 unauthenticated";
export const missing = "404 not_found";

/** JSON unless it is sent as it is. */
export type Body = object | string | Uint8Array<ArrayBuffer>;

/** Whose token the call carries, where it is not a customer's. */
export type Who = "nobody" | "clerk" | "manager";

/** Method, body, whose call it is or its headers where it is no customer's JSON; what it is answered with, and what the message must name. */
export type PublicCase = [
  name: string,
  method: string,
  body: Body,
  answer: string,
  names: RegExp,
  by?: Who | Record<string, string>,
];

const visitorCartId = "visitor-1234";

export const searches: readonly PublicCase[] = [
  ["no words", "CatalogService/SearchProducts", {}, invalid, /query/],
  ["201 characters", "CatalogService/SearchProducts", { query: "x".repeat(201) }, invalid, /query.*200/],
  ["words that are a number", "CatalogService/SearchProducts", { query: 7 }, invalid, /query/],
  ["a page of 10,000", "CatalogService/SearchProducts", { query: "a", pageSize: 10_000 }, invalid, /page_size.*100/],
  ["a page of -1", "CatalogService/SearchProducts", { query: "a", pageSize: -1 }, invalid, /page_size/],
  ["a garbage token", "CatalogService/SearchProducts", { query: "a", pageToken: "garbage" }, invalid, /page_token/],
  ["a text of 5 MB", "CatalogService/SearchProducts", { query: "x".repeat(5e6) }, "429 resource_exhausted", /1048576/],
  ["a category in capitals", "CatalogService/ListProducts", { category: "Coffee Beans" }, invalid, /category/],
  ["a page of 101", "CatalogService/ListCategories", { pageSize: 101 }, invalid, /page_size.*100/],
  ["a second page", "CatalogService/ListCategories", { pageToken: "2" }, invalid, /page_token/],
  ["no SKU", "CatalogService/GetProductPage", {}, invalid, /sku/],
  ["a path as SKU", "CatalogService/GetProductPage", { sku: "../../etc" }, invalid, /sku/],
  ["a SKU that is a list", "CatalogService/GetProductPage", { sku: [] }, invalid, /sku/],
  ["a product that is not there", "CatalogService/GetProductPage", { sku: "NO-SUCH" }, missing, /NO-SUCH/],
];

export const carts: readonly PublicCase[] = [
  ["nobody's", "CartService/GetCart", {}, invalid, /visitor_cart_id/, "nobody"],
  ["a short id", "CartService/GetCart", { visitorCartId: "short" }, invalid, /visitor_cart_id.*8/, "nobody"],
  [
    "an id with a colon",
    "CartService/GetCart",
    { visitorCartId: "user:usr_1234" },
    invalid,
    /visitor_cart_id/,
    "nobody",
  ],
  ["a version below 0", "CartService/GetCart", { expectedVersion: "-1" }, invalid, /expected_?version/i],
  ["a forged token", "CartService/GetCart", {}, nobody, /token/, { authorization: "Bearer x.y.z" }],
  ["no SKU", "CartService/SetCartItem", { quantity: 1 }, invalid, /sku/],
  ["less than none", "CartService/SetCartItem", { sku, quantity: -1 }, invalid, /quantity/],
  ["more than 1,000", "CartService/SetCartItem", { sku, quantity: 1_001 }, invalid, /quantity.*1000/],
  ["half a piece", "CartService/SetCartItem", { sku, quantity: 0.5 }, invalid, /quantity/],
  ["many", "CartService/SetCartItem", { sku, quantity: "many" }, invalid, /quantity/],
  ["more than a number holds", "CartService/SetCartItem", { sku, quantity: 2 ** 40 }, invalid, /quantity/],
  ["a product that is not there", "CartService/SetCartItem", { sku: "NO-SUCH", quantity: 1 }, missing, /NO-SUCH/],
  ["nobody's", "CartService/SetCartItem", { sku, quantity: 1 }, invalid, /visitor_cart_id/, "nobody"],
  ["nobody's", "CartService/MergeCart", { visitorCartId }, nobody, /token/, "nobody"],
  ["none", "CartService/MergeCart", {}, invalid, /visitor_cart_id/],
];

const profile = (change: object, ...paths: string[]) => ({ profile: change, updateMask: paths.join(",") });
export const accounts: readonly PublicCase[] = [
  ["nobody's", "AccountService/GetProfile", {}, nobody, /token/, "nobody"],
  ["nobody's", "AccountService/UpdateProfile", profile({ phone: "" }, "phone"), nobody, /token/, "nobody"],
  ["no profile", "AccountService/UpdateProfile", { updateMask: "phone" }, invalid, /profile/],
  ["no mask", "AccountService/UpdateProfile", { profile: { phone: "" } }, invalid, /update_mask/],
  ["an empty mask", "AccountService/UpdateProfile", profile({ phone: "" }), invalid, /update_mask/],
  [
    "another e-mail",
    "AccountService/UpdateProfile",
    profile({ email: "a@b.c" }, "email"),
    invalid,
    /update_mask.*email/,
  ],
  ["a field that is none", "AccountService/UpdateProfile", profile({}, "isAdmin"), invalid, /update_mask.*is_admin/],
  [
    "a mask that is a list",
    "AccountService/UpdateProfile",
    { profile: {}, updateMask: ["phone"] },
    invalid,
    /FieldMask/,
  ],
  ["a local number", "AccountService/UpdateProfile", profile({ phone: "030 123" }, "phone"), invalid, /profile\.phone/],
  [
    "a long name",
    "AccountService/UpdateProfile",
    profile({ displayName: "x".repeat(101) }, "displayName"),
    invalid,
    /profile\.display_name.*100/,
  ],
  [
    "no name",
    "AccountService/UpdateProfile",
    profile({ displayName: "" }, "displayName"),
    invalid,
    /profile\.display_name/,
  ],
  [
    "a device with a blank",
    "AccountService/UpdateProfile",
    profile({ pushToken: "a b" }, "pushToken"),
    invalid,
    /profile\.push_token/,
  ],
];

export const orders: readonly PublicCase[] = [
  ["nobody's", "OrderService/ListOrders", {}, nobody, /token/, "nobody"],
  ["a page of 101", "OrderService/ListOrders", { pageSize: 101 }, invalid, /page_size.*100/],
  ["a garbage token", "OrderService/ListOrders", { pageToken: "garbage" }, invalid, /page_token/],
  ["a long token", "OrderService/ListOrders", { pageToken: "x".repeat(513) }, invalid, /page_token.*512/],
  ["nobody's", "OrderService/CancelOrder", { orderId: "ord_1" }, nobody, /token/, "nobody"],
  ["no order", "OrderService/CancelOrder", {}, invalid, /order_id/],
  ["a long id", "OrderService/CancelOrder", { orderId: "x".repeat(65) }, invalid, /order_id.*64/],
  ["what is no id", "OrderService/CancelOrder", { orderId: "nonsense" }, missing, /nonsense/],
];

const denied = "403 permission_denied";
const euro = (minorUnits: number) => ({ currencyCode: "EUR", minorUnits });
const day = { from: "2026-11-22T00:00:00Z", until: "2026-11-22T12:00:00Z", currencyCode: "EUR" };

export const staff: readonly PublicCase[] = [
  ["nobody's", "WarehouseService/ListParcels", { state: "ORDER_STATE_PAID" }, nobody, /token/, "nobody"],
  ["a customer's", "WarehouseService/ListParcels", { state: "ORDER_STATE_PAID" }, denied, /warehouse/],
  ["no state", "WarehouseService/ListParcels", {}, invalid, /state/, "clerk"],
  ["what nobody ships", "WarehouseService/ListParcels", { state: "ORDER_STATE_PLACED" }, invalid, /state/, "clerk"],
  ["a state that is none", "WarehouseService/ListParcels", { state: "LOST" }, invalid, /OrderState|state/, "clerk"],
  ["a page of 101", "WarehouseService/ListParcels", { state: 5, pageSize: 101 }, invalid, /page_size.*100/, "clerk"],
  ["a garbage token", "WarehouseService/ListParcels", { state: 5, pageToken: "x" }, invalid, /page_token/, "clerk"],
  [
    "a manager's",
    "WarehouseService/ShipOrder",
    { orderId: "ord_1", trackingNumber: "T-1" },
    denied,
    /warehouse/,
    "manager",
  ],
  ["no order", "WarehouseService/ShipOrder", { trackingNumber: "T-1" }, invalid, /order_id/, "clerk"],
  ["no number", "WarehouseService/ShipOrder", { orderId: "ord_1" }, invalid, /tracking_number/, "clerk"],
  [
    "what is not there",
    "WarehouseService/ShipOrder",
    { orderId: "ord_1", trackingNumber: "T-1" },
    missing,
    /ord_1/,
    "clerk",
  ],
  ["no order", "WarehouseService/DeliverOrder", {}, invalid, /order_id/, "clerk"],
  ["what is not there", "WarehouseService/DeliverOrder", { orderId: "ord_1" }, missing, /ord_1/, "clerk"],
  ["a stream as one message", "WarehouseService/ImportStock", {}, "415 -", /^$/, "clerk"],
  ["a customer's", "ReportService/GetFunnel", { day: "2026-11-22" }, denied, /manager/],
  ["a day that is a word", "ReportService/GetFunnel", { day: "today" }, invalid, /day/, "manager"],
  ["February 30th", "ReportService/GetFunnel", { day: "2026-02-30" }, invalid, /day/, "manager"],
  ["a clerk's", "ReportService/ListRevenue", day, denied, /manager/, "clerk"],
  ["since never", "ReportService/ListRevenue", { ...day, from: undefined }, invalid, /from/, "manager"],
  ["a moment that is a word", "ReportService/ListRevenue", { ...day, from: "now" }, invalid, /Timestamp/, "manager"],
  ["backwards", "ReportService/ListRevenue", { ...day, until: "2026-11-21T00:00:00Z" }, invalid, /until/, "manager"],
  ["of two days", "ReportService/ListRevenue", { ...day, until: "2026-11-24T00:00:00Z" }, invalid, /until/, "manager"],
  ["no currency", "ReportService/ListRevenue", { ...day, currencyCode: "euro" }, invalid, /currency_code/, "manager"],
  ["a page of 1,000", "ReportService/ListTopProducts", { pageSize: 1_000 }, invalid, /page_size.*100/, "manager"],
  ["a garbage token", "ReportService/ListTopProducts", { pageToken: "x" }, invalid, /page_token/, "manager"],
  ["a clerk's", "AssortmentService/UpdateProduct", { sku, name: "x" }, denied, /manager/, "clerk"],
  ["no SKU", "AssortmentService/UpdateProduct", { name: "x" }, invalid, /sku/, "manager"],
  ["no name", "AssortmentService/UpdateProduct", { sku, name: "" }, invalid, /name/, "manager"],
  [
    "a category in capitals",
    "AssortmentService/UpdateProduct",
    { sku, category: "Tea" },
    invalid,
    /category/,
    "manager",
  ],
  [
    "what is not there",
    "AssortmentService/UpdateProduct",
    { sku: "NO-SUCH", name: "x" },
    missing,
    /NO-SUCH/,
    "manager",
  ],
  ["no price", "AssortmentService/ChangePrice", { sku }, invalid, /price/, "manager"],
  ["a price below nothing", "AssortmentService/ChangePrice", { sku, price: euro(-1) }, invalid, /price/, "manager"],
  ["half a cent", "AssortmentService/ChangePrice", { sku, price: euro(0.5) }, invalid, /minor_?units/i, "manager"],
  [
    "what is not there",
    "AssortmentService/ChangePrice",
    { sku: "NO-SUCH", price: euro(1) },
    missing,
    /NO-SUCH/,
    "manager",
  ],
];

const key = "idempotency-key";
const badKey = /Idempotency-Key.*1 to 100 visible ASCII/;
const account = { email: "eve@example.com", password: "correct horse", displayName: "Eve" };

/** What is wrong with the call itself, whatever its method. */
export const calls: readonly PublicCase[] = [
  ["text", "CatalogService/SearchProducts", "{}", "415 -", /^$/, { "content-type": "text/plain" }],
  ["no JSON", "CartService/SetCartItem", "{", invalid, /JSON/i],
  ["a list", "OrderService/CancelOrder", "[]", invalid, /CancelOrderRequest/],
  [
    "bytes that are no text",
    "CatalogService/SearchProducts",
    Uint8Array.from([0x7b, 0xff, 0x7d]),
    invalid,
    /UTF-8|JSON/i,
  ],
  [
    "protobuf that is none",
    "CartService/GetCart",
    Uint8Array.from([0x0a, 0xff]),
    invalid,
    /GetCartRequest/,
    { "content-type": "application/proto" },
  ],
  [
    "a stream both ways over HTTP/1.1",
    "LiveService/Follow",
    "",
    "505 -",
    /^$/,
    { "content-type": "application/connect+json" },
  ],
  ["a key of two words", "OrderService/CancelOrder", { orderId: "ord_1" }, invalid, badKey, { [key]: "two words" }],
  ["a key of 101", "CartService/SetCartItem", { sku, quantity: 1 }, invalid, badKey, { [key]: "x".repeat(101) }],
  ["a key with an umlaut", "AccountService/Register", account, invalid, badKey, { [key]: "schl\u00fcssel" }],
  [
    "another key than the field's",
    "OrderService/PlaceOrder",
    { idempotencyKey: "the field's", lines: [{ sku, quantity: 1 }], paymentMethod: "tok_visa" },
    invalid,
    /Idempotency-Key.*idempotency_key/,
    { [key]: "the-header's" },
  ],
  ["no such method", "OrderService/BurnOrder", {}, "404 not_found", /BurnOrder|no such/],
];
