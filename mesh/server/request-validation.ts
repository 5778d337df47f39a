import { create, type DescMessage, type DescMethod, type MessageShape } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator, type Validator } from "@bufbuild/protovalidate";
import { Code } from "@connectrpc/connect";
import { rpcError } from "../contract/errors.ts";

/** Violations that are told of one message: a long list of wrong things must still find room in trailers. */
const violationsMax = 16;

/** Checks a message against the rules in its contract. @throws ConnectError INVALID_ARGUMENT naming each field */
export type RequestValidation = <Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>) => void;

/**
 * Creates the check, ready for the given methods: rules are compiled now, since the first use of one costs tens of
 * milliseconds and would be some caller's.
 */
export function createRequestValidation(methods: Iterable<DescMethod>): RequestValidation {
  const validator = createValidator();
  for (const { input } of methods) validator.validate(input, create(input));
  return (schema, message) => validate(validator, schema, message);
}

function validate<Desc extends DescMessage>(validator: Validator, schema: Desc, message: MessageShape<Desc>): void {
  const result = validator.validate(schema, message);
  if (result.kind === "valid") return;
  if (result.kind === "error") throw result.error;
  const violations = result.violations.slice(0, violationsMax).map((violation) => ({
    field: pathToString(violation.field),
    description: violation.message,
  }));
  const text = violations.map(({ field, description }) => (field ? `${field}: ${description}` : description));
  const more = result.violations.length - violations.length;
  if (more > 0) text.push(`and ${more} more`);
  throw rpcError(Code.InvalidArgument, text.join("; "), { reason: "INVALID_FIELD", domain: "weft", violations });
}
