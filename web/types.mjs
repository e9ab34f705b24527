// Writes src/protocol.gen.ts from the protocol's JSON Schema; with --check it only compares, and exits 1 on drift.
import { readFileSync, writeFileSync } from "node:fs";
import { compile } from "json-schema-to-typescript";

const FILE = new URL("src/protocol.gen.ts", import.meta.url);
const SCHEMA = new URL("../protocol/schema.json", import.meta.url);

/** What the compiler reads differently: defaults beside a $ref, tuples of draft 2020-12, objects of anything. */
function plain(_key, node) {
  if (node === null || typeof node !== "object" || Array.isArray(node)) return node;
  const { default: _, prefixItems, ...rest } = node;
  if (prefixItems) return { ...rest, items: prefixItems, additionalItems: false };
  if (rest.type === "object" && !rest.properties && !rest.additionalProperties) rest.additionalProperties = true;
  return rest;
}

const schema = JSON.parse(readFileSync(SCHEMA, "utf8"), plain);
const generated = await compile(schema, "Protocol", {
  additionalProperties: false, // a later version's members are carried along, but not typed
  bannerComment: "// Generated from protocol/schema.json by `npm run types`. Do not edit.",
  unreachableDefinitions: true,
  style: { printWidth: 110 },
});
const text = generated
  .replace(/\n \*\n \* This interface was referenced by [^\n]*\n \* via[^\n]*/g, "")
  .replace(/\/\*\*\n \* This interface was referenced by [^\n]*\n \* via[^\n]*\n \*\/\n/g, "")
  .replace(/export interface RoundtableProtocol \{[^}]*\}\n/, "");

if (!process.argv.includes("--check")) {
  writeFileSync(FILE, text);
} else if (readFileSync(FILE, "utf8") !== text) {
  console.error("web/src/protocol.gen.ts is out of date: run `npm run types` in web/ and commit the result.");
  process.exitCode = 1;
}
