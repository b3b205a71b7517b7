'use strict';
// Payload bytes as an event, and a handler's value as bytes: JSON, raw bytes, or a stream of pieces.

const { isUtf8 } = require('buffer');
const { Failure, typeOf, messageOf } = require('./failure.cjs');
const { MAX_PIECE_BYTES } = require('./channel.cjs');

const JSON_STARTS = new Set(Buffer.from('{["-0123456789tfn \t\r\n'));

/** JSON as its value, other UTF-8 as a string, anything else as a Buffer, nothing as null. */
function eventOf(payload) {
  if (!payload.length) return null;
  if (!isText(payload)) return payload;
  const text = payload.utf8Slice(0, payload.length);
  if (JSON_STARTS.has(payload[0])) {
    try {
      return JSON.parse(text);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
  return text;
}

function isText(payload) {
  if (isUtf8) return isUtf8(payload);
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(payload);
    return true;
  } catch {
    return false;
  }
}

function bytesOf(value) {
  if (Buffer.isBuffer(value)) return value;
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof ArrayBuffer) return Buffer.from(value);
  return null;
}

function resultBytes(value) {
  const raw = bytesOf(value);
  if (raw) return raw;
  let text;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    const name = typeOf(error) === 'RangeError' ? 'nested too deep' : messageOf(error).split('\n')[0];
    throw new Failure('Runtime.MarshalError', `the handler's result is not JSON: ${name}`, error);
  }
  // undefined, a function and a symbol have no JSON.
  return Buffer.from(text === undefined ? 'null' : text);
}

/** A Readable, a web stream, a generator: anything that is iterated once, and not an array or a map. */
function isStream(value) {
  return (
    typeof value === 'object' &&
    value !== null &&
    (typeof value[Symbol.asyncIterator] === 'function' ||
      (typeof value[Symbol.iterator] === 'function' && typeof value.next === 'function'))
  );
}

/** Bytes go as they are, strings as UTF-8, any other value as a line of JSON; no piece longer than a CHUNK. */
async function* piecesOf(value) {
  for await (const item of value) {
    const data = bytesOf(item) ||
      (typeof item === 'string' ? Buffer.from(item) : Buffer.concat([resultBytes(item), Buffer.from('\n')]));
    for (let start = 0; start < data.length; start += MAX_PIECE_BYTES) {
      yield data.subarray(start, start + MAX_PIECE_BYTES);
    }
  }
}

module.exports = { eventOf, isStream, piecesOf, resultBytes };
