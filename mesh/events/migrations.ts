/** The tables of outbox and inbox: `migrate({ component: "weft_events", directory: eventMigrations, ... })`. */
export const eventMigrations = new URL("./migrations/", import.meta.url);
