'use strict';
// From an INIT message to the user's handler: environment, directory, import, and truthful errors when that fails.

const fs = require('fs');
const path = require('path');
const { Failure, messageOf } = require('./failure.cjs');

/** What INIT names: {name, memoryBytes, maxResultBytes, handler, warmup}. Throws a Failure, or what the code threw. */
async function loadFunction(init) {
  const name = text(init, 'function');
  const code = text(init, 'code');
  const handlerName = text(init, 'handler');
  const limits = { memoryBytes: number(init, 'memory_bytes'), maxResultBytes: number(init, 'max_result_bytes') };
  setEnvironment(init.env || {});
  try {
    process.chdir(code);
  } catch (error) {
    throw new Failure('Runtime.InvalidInit', `the code directory ${code} cannot be entered: ${error.code}`);
  }
  const { file, attribute } = locate(handlerName, code);
  const exports = await loadModule(file, code);
  const handler = member(exports, attribute);
  if (typeof handler !== 'function') {
    const found = Object.keys(exports || {}).filter((key) => typeof exports[key] === 'function');
    throw new Failure(
      'Runtime.HandlerNotFound',
      `${path.relative(code, file)} has no function ${JSON.stringify(attribute)}; its functions: ` +
        (found.slice(0, 20).join(', ') || 'none'),
    );
  }
  const warmup = member(exports, 'warmup');
  return { name, ...limits, handler, warmup: typeof warmup === 'function' ? warmup : handler };
}

function text(init, key) {
  const value = init[key];
  if (typeof value !== 'string' || !value || value.includes('\0')) {
    throw new Failure('Runtime.InvalidInit', `INIT: "${key}" must be a text that is not empty, not ${show(value)}`);
  }
  return value;
}

function number(init, key) {
  const value = init[key] === undefined ? 0 : init[key];
  if (!(Number.isInteger(value) && value >= 0)) {
    throw new Failure('Runtime.InvalidInit', `INIT: "${key}" must be a whole number, not ${show(value)}`);
  }
  return value;
}

function show(value) {
  return String(JSON.stringify(value)).slice(0, 100);
}

function setEnvironment(variables) {
  for (const [key, value] of Object.entries(variables)) {
    if (typeof value !== 'string' || !key || key.includes('=') || (key + value).includes('\0')) {
      throw new Failure('Runtime.InvalidInit', `INIT: the environment variable ${show(key)} cannot be set`);
    }
    process.env[key] = value;
  }
  // Node read NODE_PATH when it started.
  if (variables.NODE_PATH) require('module').Module._initPaths();
}

/** "dir/app.sub.handler" is the export sub.handler of dir/app.js, .mjs or .cjs, or of the package dir/app. */
function locate(handlerName, code) {
  const split = /^((?:[^/]+\/)*)([^/.]+)\.([^/]+)$/.exec(handlerName.replace(/^\.\//, ''));
  if (!split || split[1].split('/').includes('..')) {
    throw new Failure(
      'Runtime.MalformedHandlerName',
      `the handler ${show(handlerName)} is not of the form MODULE.FUNCTION or DIR/MODULE.FUNCTION, as app.handler`,
    );
  }
  const base = path.join(code, split[1], split[2]);
  for (const extension of ['.js', '.mjs', '.cjs', '/package.json', '/index.js', '/index.mjs']) {
    const file = base + extension;
    if (fs.existsSync(file)) return { file: extension === '/package.json' ? base : file, attribute: split[3] };
  }
  let names = [];
  try {
    names = fs.readdirSync(path.dirname(base)).sort();
  } catch { /* said by the next line: it holds no file */ }
  throw new Failure(
    'Runtime.ImportModuleError',
    `there is no ${split[1]}${split[2]}.js, .mjs or .cjs: ${path.dirname(base)} holds ` +
      (names.slice(0, 20).join(', ') || 'no file'),
  );
}

async function loadModule(file, code) {
  try {
    if (isModule(file, code)) return await importModule(file);
    try {
      return require(file);
    } catch (error) {
      // A package of modules, or code with a top-level await, that package.json does not announce.
      if (!error || !['ERR_REQUIRE_ESM', 'ERR_REQUIRE_ASYNC_MODULE'].includes(error.code)) throw error;
      return await importModule(file);
    }
  } catch (error) {
    if (error instanceof SyntaxError) throw new Failure('Runtime.UserCodeSyntaxError', syntaxMessage(error), error);
    if (error && (error.code === 'MODULE_NOT_FOUND' || error.code === 'ERR_MODULE_NOT_FOUND')) {
      const message = messageOf(error).split('\n')[0];
      throw new Failure('Runtime.ImportModuleError', `cannot load ${path.relative(code, file)}: ${message}`, error);
    }
    throw error;
  }
}

function importModule(file) {
  if (fs.statSync(file).isDirectory()) file = require.resolve(file);
  return import(require('url').pathToFileURL(file).href);
}

/** An ECMAScript module? By its extension, or by the nearest package.json within the code. */
function isModule(file, code) {
  if (file.endsWith('.mjs')) return true;
  if (file.endsWith('.cjs')) return false;
  let directory = fs.statSync(file).isDirectory() ? file : path.dirname(file);
  for (; directory.startsWith(code); directory = path.dirname(directory)) {
    const manifest = path.join(directory, 'package.json');
    if (fs.existsSync(manifest)) return JSON.parse(fs.readFileSync(manifest, 'utf8')).type === 'module';
    if (directory === '/') break;
  }
  return false;
}

function member(exports, attribute) {
  const step = (at, key) => (at === undefined || at === null ? at : at[key]);
  const walk = (value) => attribute.split('.').reduce(step, value);
  const direct = walk(exports);
  return direct === undefined && exports && exports.default ? walk(exports.default) : direct;
}

/** Node puts "file:line" in front of a SyntaxError's stack and nowhere else. */
function syntaxMessage(error) {
  const first = String(error.stack).split('\n', 1)[0];
  const place = /^(?:file:\/\/)?(\/.*):(\d+)$/.exec(first);
  return place ? `${error.message} (${place[1]}, line ${place[2]})` : error.message;
}

module.exports = { loadFunction };
