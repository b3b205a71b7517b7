'use strict';
// A thrown value as the protocol's {"type", "message", "trace"}.

const { MAX_PIECE_BYTES } = require('./channel.cjs');

const MESSAGE_CHARACTERS = 8192;
const LINE_CHARACTERS = 400;
const TRACE_LINES = 200;
const CHAIN_LENGTH = 16;

/** What the runtime itself has to say, with a type of its own ("Runtime.HandlerNotFound"). */
class Failure extends Error {
  constructor(type, message, cause) {
    super(message);
    this.type = type;
    this.thrown = cause;
  }
}

/** The body of an ERROR or INIT_ERROR, at most MAX_PIECE_BYTES long. */
function encodeFailure(error, fatal) {
  const own = error instanceof Failure;
  const thrown = own ? error.thrown : error;
  const report = {
    type: own ? error.type : typeOf(error),
    message: clip(own ? error.message : messageOf(error), MESSAGE_CHARACTERS),
    trace: own && thrown === undefined ? [] : traceOf(thrown),
  };
  if (fatal) report.fatal = true;
  let body = Buffer.from(JSON.stringify(report));
  while (body.length > MAX_PIECE_BYTES) {
    const { trace } = report;
    const keep = Math.floor(trace.length / 3);
    if (keep) trace.splice(keep, trace.length - 2 * keep, `    ... ${trace.length - 2 * keep} lines left out ...`);
    else report.message = clip(report.message, (report.trace.length = 0) + MESSAGE_CHARACTERS / 4);
    body = Buffer.from(JSON.stringify(report));
  }
  return body;
}

function isError(value) {
  return value instanceof Error || Object.prototype.toString.call(value) === '[object Error]';
}

function typeOf(value) {
  try {
    if (!isError(value)) return value === null ? 'null' : typeof value;
    const name = String(value.name);
    // class Custom extends Error {} leaves name at "Error".
    return name !== 'Error' ? name : (value.constructor && value.constructor.name) || name;
  } catch {
    return 'Error';
  }
}

function messageOf(value) {
  try {
    if (isError(value)) return String(value.message);
    return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
  } catch (broken) {
    return `(its message cannot be shown: ${typeOf(broken)})`;
  }
}

function clip(text, limit) {
  return text.length <= limit ? text : `${text.slice(0, limit)}... (${text.length - limit} more characters)`;
}

/** The stack as Node prints it, without this runtime's and Node's own frames, then the causes. */
function traceOf(error) {
  try {
    const lines = [];
    addChain(error, lines, new Set(), '');
    return lines.slice(0, TRACE_LINES).map((line) => clip(line, LINE_CHARACTERS));
  } catch (broken) {
    return [`(the trace cannot be shown: ${typeOf(broken)})`];
  }
}

function addChain(error, lines, seen, label) {
  if (seen.has(error) || seen.size >= CHAIN_LENGTH) return;
  seen.add(error);
  const stack = isError(error) && typeof error.stack === 'string' ? error.stack : `Thrown: ${messageOf(error)}`;
  const shown = stack.split('\n').filter((line) => !isOwnFrame(line));
  if (label) shown[0] = label + shown[0];
  lines.push(...shown);
  if (!isError(error)) return;
  if (error.cause !== undefined && error.cause !== null) addChain(error.cause, lines, seen, '[cause]: ');
  if (Array.isArray(error.errors)) {
    error.errors.forEach((member, index) => addChain(member, lines, seen, `[error ${index + 1}]: `));
  }
}

/** A frame, or a line of a "Require stack:", of this runtime or of Node. */
function isOwnFrame(line) {
  return /^ +at |^- /.test(line) && (line.includes(__dirname + '/') || /[( ]node:/.test(line));
}

module.exports = { Failure, encodeFailure, typeOf, messageOf };
