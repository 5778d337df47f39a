import fc from "fast-check";
import { expect, test } from "vitest";
import { formatEndUser, parseEndUser } from "./end-user-header.ts";

const endUser = fc.record({
  userId: fc.string({ unit: "binary", minLength: 1 }),
  scopes: fc.array(fc.stringMatching(/^[a-z][a-z0-9:._-]{0,20}$/), { maxLength: 5 }),
});

test("an end user comes out of the header as he went in, and the header is one that HTTP carries", () => {
  fc.assert(
    fc.property(endUser, (user) => {
      const value = formatEndUser(user);
      expect(value).toMatch(/^[!-~]*$/);
      expect(parseEndUser(value)).toEqual(user);
    }),
  );
});

test.each([null, "", "user=", "scope=customer", "a text of another kind", "=&=&&"])("%j names nobody", (value) => {
  expect(parseEndUser(value)).toBeUndefined();
});

test("a user cannot give himself a scope by his id", () => {
  const value = formatEndUser({ userId: "usr_1&scope=admin", scopes: ["customer"] });
  expect(parseEndUser(value)).toEqual({ userId: "usr_1&scope=admin", scopes: ["customer"] });
});

test("no header, however made, breaks the reader or gives an empty scope", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (value) => {
      expect(parseEndUser(value)?.scopes ?? []).not.toContain("");
    }),
  );
});
