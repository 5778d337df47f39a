import { validate as deployment } from "kubernetes-models/_schemas/IoK8sApiAppsV1Deployment";
import { validate as configMap } from "kubernetes-models/_schemas/IoK8sApiCoreV1ConfigMap";
import { validate as namespace } from "kubernetes-models/_schemas/IoK8sApiCoreV1Namespace";
import { validate as secret } from "kubernetes-models/_schemas/IoK8sApiCoreV1Secret";
import { validate as service } from "kubernetes-models/_schemas/IoK8sApiCoreV1Service";
import { validate as serviceAccount } from "kubernetes-models/_schemas/IoK8sApiCoreV1ServiceAccount";
import { type FieldPath, type Manifest, type Problem, valueAt } from "./manifest.ts";

/** A validator that ajv has made of Kubernetes' own OpenAPI document; what it finds is left on the function. */
interface Validator {
  (data: unknown): boolean;
  readonly errors?: readonly SchemaError[] | null;
}

interface SchemaError {
  readonly instancePath: string;
  readonly keyword: string;
  readonly params: Readonly<Record<string, unknown>>;
}

const validators: ReadonlyMap<string, Validator> = new Map<string, Validator>([
  ["v1 ConfigMap", configMap],
  ["v1 Namespace", namespace],
  ["v1 Secret", secret],
  ["v1 Service", service],
  ["v1 ServiceAccount", serviceAccount],
  ["apps/v1 Deployment", deployment],
]);

/** Finds what of an object is not as Kubernetes' schema says: wrong and missing values, and fields that it does not know. */
export function schemaProblems(manifest: Manifest): Problem[] {
  const kind = `${manifest.apiVersion} ${manifest.kind}`;
  const validate = validators.get(kind);
  if (!validate)
    return [{ manifest, path: ["kind"], text: `${kind} is not checked yet: name it in tools/k8s/schema.ts` }];
  const read = new Set<string>();
  const errors = validate(watched(manifest, "", read)) ? [] : (validate.errors ?? []);
  return [...wrong(manifest, errors), ...unknown(manifest, errors, read)];
}

/** One problem for each field, though several alternatives of its schema may have failed. */
function wrong(manifest: Manifest, errors: readonly SchemaError[]): Problem[] {
  const texts = new Map<string, string[]>();
  for (const error of errors) {
    const text = describe(error);
    if (text === undefined) continue;
    const missing = error.keyword === "required" ? `/${String(error.params.missingProperty)}` : "";
    const pointer = error.instancePath + missing;
    texts.set(pointer, [...(texts.get(pointer) ?? []), text]);
  }
  return [...texts].map(([pointer, all]) => ({ manifest, path: pathOf(pointer), text: all.join(", or ") }));
}

function describe({ keyword, params }: SchemaError): string | undefined {
  switch (keyword) {
    case "required":
      return "is missing";
    case "type":
      return `must be of type ${String(params.type)}`;
    case "format":
      return `must be a valid ${String(params.format)}`;
    case "enum":
      return `must be one of ${String(params.allowedValues)}`;
    case "oneOf":
      // What each alternative says stands beside it.
      return undefined;
    default:
      return `breaks the schema's rule "${keyword}" (${JSON.stringify(params)})`;
  }
}

/**
 * The fields that the validator has never looked at. The schema allows what it does not name, as Kubernetes once did, and has
 * no stricter form; but a validator reads each field that it knows, so those that stay unread are in no schema.
 */
function unknown(manifest: Manifest, errors: readonly SchemaError[], read: ReadonlySet<string>): Problem[] {
  const unreadable = errors.filter(({ keyword }) => keyword === "type").map(({ instancePath }) => `${instancePath}/`);
  const search = (value: unknown, pointer: string): string[] => {
    if (typeof value !== "object" || value === null) return [];
    return Object.entries(value).flatMap(([key, item]) => {
      const own = pointerTo(pointer, key);
      return read.has(own) ? search(item, own) : [own];
    });
  };
  return search(manifest, "")
    .filter((pointer) => !unreadable.some((above) => pointer.startsWith(above)))
    .map((pointer) => ({ manifest, path: pathOf(pointer), text: "unknown field" }));
}

function watched(value: unknown, pointer: string, read: Set<string>): unknown {
  if (typeof value !== "object" || value === null) return value;
  return new Proxy(value, {
    get(target, key) {
      if (typeof key === "symbol" || !Object.hasOwn(target, key)) return Reflect.get(target, key);
      const own = pointerTo(pointer, key);
      read.add(own);
      return watched(valueAt(target, [key]), own, read);
    },
  });
}

/** JSON Pointer, RFC 6901. */
function pointerTo(pointer: string, key: string): string {
  return `${pointer}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

function pathOf(pointer: string): FieldPath {
  return pointer
    .split("/")
    .slice(1)
    .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"))
    .map((key) => (/^\d+$/.test(key) ? Number(key) : key));
}
