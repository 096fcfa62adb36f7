// Reads objects of the Prometheus Operator (a JSON list) from standard input, and writes what is wrong with each, a
// line a fault. Kubernetes drops keys that a schema does not have without a word, so those are faults here.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const home = join(process.cwd(), "node_modules", "@kubernetes-models", "prometheus-operator");
const definitions = join(home, "monitoring.coreos.com");

const free = new Set(["labels", "annotations", "matchLabels"]); // maps of the user's own words

function known() {
  const words = new Set(free); // matchLabels is Kubernetes' own
  for (const name of readdirSync(definitions, { recursive: true }).filter((each) => each.endsWith(".d.ts"))) {
    for (const [, word] of readFileSync(join(definitions, name), "utf8").matchAll(/^\s*"?(\w+)"?\??:/gm)) words.add(word);
  }
  return words;
}

function* strangers(node, words, path) {
  if (Array.isArray(node)) for (const [index, each] of node.entries()) yield* strangers(each, words, `${path}/${index}`);
  else if (node && typeof node === "object")
    for (const [key, each] of Object.entries(node)) {
      if (!words.has(key)) yield `${path}/${key} is in no schema`;
      if (!free.has(key)) yield* strangers(each, words, `${path}/${key}`);
    }
}

// To the schema, routes within a route are any JSON, and the operator refuses a wrong one late: each is held to what the
// first must be.
function* nested(object) {
  for (const route of object.spec.route?.routes ?? []) {
    const one = { ...object, spec: { ...object.spec, route } };
    yield one;
    yield* nested(one);
  }
}

const objects = JSON.parse(readFileSync(0, "utf8"));
const words = known();
for (const object of objects) {
  const models = await import(pathToFileURL(join(home, object.apiVersion, "index.js")));
  for (const each of [object, ...nested(object)]) {
    try {
      new models[each.kind](each).validate();
    } catch (error) {
      console.log(`${each.kind}: ${error.message}`);
    }
  }
  for (const fault of strangers(object.spec, words, "spec")) console.log(`${object.kind}: ${fault}`);
}
