// Reads the JavaScript code of a function without running it: which packages it loads, which functions and topics it calls.
//
// Runs in a sandbox of its own, for the code is a stranger's: `node - ROOT < node.cjs`. The parser is acorn, Debian's package
// node-acorn. Writes one JSON object, see README.md. What cannot be read is named under `skipped`; nothing ends the whole.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { builtinModules } = require("node:module");

const LARGEST_FILE = 2 << 20;
const MOST_FILES = 2000;
const MOST_BYTES = 32 << 20;
const MOST_ENTRIES = 50_000;
const MOST_LISTED = 200;
const LISTED_FILES = 4;
const MOST_SKIPPED = 20;
const MILLISECONDS = 12_000;
const FUNCTION_CALLS = new Set(["invoke", "invokeFunction", "callFunction", "prefetch", "InvokeCommand"]);
const TOPIC_CALLS = new Set(["emitEvent", "publish", "sendEvent", "PublishCommand"]);
const FUNCTION_KEYS = ["FunctionName", "function", "functionName"];
const TOPIC_KEYS = ["TopicArn", "Topic", "topic", "topicName"];
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

function parser() {
  for (const place of ["/usr/share/nodejs/acorn", "acorn"]) {
    try {
      return require(place);
    } catch {
      // The next place.
    }
  }
  return null;
}

const root = process.argv[2];
const result = { files: 0, imports: new Map(), calls: new Map(), skipped: [], skippedCount: 0 };

function skip(file, reason) {
  result.skippedCount += 1;
  if (result.skipped.length < MOST_SKIPPED) {
    result.skipped.push({ file: file.slice(0, 200), reason: String(reason).slice(0, 200) });
  }
}

function packageOf(specifier) {
  if (specifier.startsWith(".") || specifier.startsWith("/")) return null;
  const name = specifier.replace(/^node:/, "");
  const parts = name.split("/");
  return name.startsWith("@") ? parts.slice(0, 2).join("/") : parts[0];
}

function imported(specifier, file) {
  const name = packageOf(specifier);
  if (!name || name.length > 100 || (result.imports.size >= 10 * MOST_LISTED && !result.imports.has(name))) return;
  if (!result.imports.has(name)) result.imports.set(name, []);
  const files = result.imports.get(name);
  if (!files.includes(file) && files.length < LISTED_FILES) files.push(file);
}

function called(target, topic, file, line) {
  if (target.startsWith("arn:")) target = target.slice(target.lastIndexOf(":") + 1);
  // eslint-disable-next-line no-control-regex
  const fits = NAME.test(target) || (topic && target.length > 0 && target.length <= 256 && !/[\x00-\x1f\x7f]/.test(target));
  const key = `${topic}\0${target}`;
  if (fits && result.calls.size < MOST_LISTED && !result.calls.has(key)) result.calls.set(key, { target, topic, file, line });
}

function text(node) {
  if (!node) return null;
  if (node.type === "Literal" && typeof node.value === "string") return node.value;
  if (node.type === "TemplateLiteral" && node.expressions.length === 0) return node.quasis[0].value.cooked;
  return null;
}

function property(node, keys) {
  if (!node || node.type !== "ObjectExpression") return null;
  for (const entry of node.properties) {
    const key = entry.key && (entry.key.name || entry.key.value);
    if (entry.type === "Property" && !entry.computed && keys.includes(key)) {
      const value = text(entry.value);
      if (value) return value;
    }
  }
  return null;
}

function visit(node, file) {
  switch (node.type) {
    case "ImportDeclaration":
    case "ExportNamedDeclaration":
    case "ExportAllDeclaration":
    case "ImportExpression": {
      const from = text(node.source);
      if (from) imported(from, file);
      break;
    }
    case "CallExpression":
    case "NewExpression": {
      const callee = node.callee;
      const name = callee.type === "MemberExpression" && !callee.computed ? callee.property.name : callee.name;
      const first = text(node.arguments[0]);
      if (name === "require" && first) imported(first, file);
      for (const [names, keys, topic] of [
        [FUNCTION_CALLS, FUNCTION_KEYS, false],
        [TOPIC_CALLS, TOPIC_KEYS, true],
      ]) {
        if (!names.has(name)) continue;
        const target = first || property(node.arguments[0], keys);
        if (target) called(target, topic, file, node.loc.start.line);
      }
      break;
    }
    default:
  }
}

function readTree(tree, file) {
  // By a list, not by recursion: the tree is as deep as its author likes.
  const waiting = [tree];
  while (waiting.length > 0) {
    const node = waiting.pop();
    visit(node, file);
    for (const key of Object.keys(node)) {
      const value = node[key];
      if (Array.isArray(value)) {
        for (const child of value) if (child && typeof child.type === "string") waiting.push(child);
      } else if (value && typeof value.type === "string") {
        waiting.push(value);
      }
    }
  }
}

function* walk() {
  const waiting = [root];
  let entries = 0;
  while (waiting.length > 0) {
    const directory = waiting.pop();
    let listed;
    try {
      listed = fs.readdirSync(directory, { withFileTypes: true });
    } catch (error) {
      skip(path.relative(root, directory), error.code);
      continue;
    }
    for (const entry of listed) {
      entries += 1;
      if (entries > MOST_ENTRIES) return skip(".", `more than ${MOST_ENTRIES} files: the rest was not looked at`);
      const full = path.join(directory, entry.name);
      const name = path.relative(root, full);
      const isCode = /\.[cm]?js$/.test(entry.name);
      if (entry.isSymbolicLink()) {
        if (isCode) skip(name, "it is a symbolic link");
      } else if (entry.isDirectory()) {
        // What lies in node_modules is a package, and is looked at as such.
        if (entry.name !== "node_modules") waiting.push(full);
      } else if (isCode) {
        if (entry.isFile()) yield [name, full];
        else skip(name, "it is no file");
      }
    }
  }
}

function parse(acorn, source, isModule) {
  return acorn.parse(source, {
    ecmaVersion: "latest", sourceType: isModule ? "module" : "script", locations: true, allowHashBang: true,
    allowReturnOutsideFunction: true, allowAwaitOutsideFunction: true,
  });
}

function readFile(acorn, name, full) {
  const descriptor = fs.openSync(full, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
  let data;
  try {
    if (fs.fstatSync(descriptor).size > LARGEST_FILE) throw new Error(`it has more than ${LARGEST_FILE >> 20} MiB`);
    data = fs.readFileSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
  let source;
  try {
    source = new TextDecoder("utf-8", { fatal: true }).decode(data);
  } catch {
    throw new Error("it is not UTF-8");
  }
  let tree;
  try {
    tree = parse(acorn, source, !name.endsWith(".cjs"));
  } catch (error) {
    if (error instanceof RangeError) throw new Error("it is nested too deep", { cause: error });
    try {
      tree = parse(acorn, source, name.endsWith(".cjs"));
    } catch {
      throw new Error(`it does not parse: ${error.message}`, { cause: error });
    }
  }
  readTree(tree, name);
  return data.length;
}

function sizeOf(directory) {
  const waiting = [directory];
  let total = 0;
  let seen = 0;
  while (waiting.length > 0 && seen < 5000) {
    const place = waiting.pop();
    let listed;
    try {
      listed = fs.readdirSync(place, { withFileTypes: true });
    } catch {
      continue;
    }
    for (const entry of listed) {
      seen += 1;
      const full = path.join(place, entry.name);
      if (entry.isDirectory()) waiting.push(full);
      else if (entry.isFile()) total += fs.lstatSync(full).size;
    }
  }
  return total;
}

// Only what comes with node is loaded here, to be measured; the function's own code is not run.
function describe(name, files) {
  const bundled = path.join(root, "node_modules", name);
  if (fs.existsSync(bundled)) return { name, origin: "bundled", bytes: sizeOf(bundled), import_us: 0, files };
  if (!builtinModules.includes(name)) return { name, origin: "missing", bytes: 0, import_us: 0, files };
  const start = process.hrtime.bigint();
  try {
    require(`node:${name}`);
  } catch {
    return { name, origin: "image", bytes: 0, import_us: 0, files };
  }
  return { name, origin: "image", bytes: 0, import_us: Number((process.hrtime.bigint() - start) / 1000n), files };
}

function main() {
  const acorn = parser();
  if (!acorn) {
    process.stdout.write(JSON.stringify({ failure: "the parser acorn is not installed: install Debian's node-acorn" }));
    return;
  }
  const started = Date.now();
  let total = 0;
  for (const [name, full] of walk()) {
    if (result.files >= MOST_FILES || total >= MOST_BYTES || Date.now() - started > MILLISECONDS) {
      skip(name, "the limits of files, bytes or time were reached: this and the rest were not read");
      break;
    }
    try {
      total += readFile(acorn, name, full);
      result.files += 1;
    } catch (error) {
      skip(name, error.code || error.message);
    }
  }
  const packages = [...result.imports].map(([name, files]) => describe(name, files));
  packages.sort((a, b) => b.import_us - a.import_us || b.bytes - a.bytes || (a.name < b.name ? -1 : 1));
  process.stdout.write(
    JSON.stringify({
      files: result.files, packages: packages.slice(0, MOST_LISTED), calls: [...result.calls.values()],
      skipped: result.skipped, skipped_count: result.skippedCount,
    }),
  );
}

main();
