'use strict';
// The node runtime: HELLO, INIT, READY, then one invocation after the other, on fd 3 (protocol/FUNCTION.md).

const channels = require('./channel.cjs');
const { Channel, ChannelLost, ProtocolError } = channels;
const { INIT, INVOKE, SHUTDOWN, HELLO, READY, INIT_ERROR, RESULT, ERROR, CHUNK } = channels;
const { Failure, encodeFailure, messageOf, typeOf } = require('./failure.cjs');
const { makeOutputSynchronous } = require('./output.cjs');

const EXIT_FAILED = 1, EXIT_CHANNEL_LOST = 74, EXIT_PROTOCOL = 76;
/** What getRemainingTimeInMillis() says when there is no deadline. */
const NO_DEADLINE = Number.MAX_SAFE_INTEGER;

const channel = new Channel(3);
/** The invocation that runs; 0 while INIT is worked on; null when there is nothing to answer. */
let current = null;
let loaded = null;
let results = null;

function main() {
  makeOutputSynchronous();
  preload(process.env.HEARTH_PRELOAD || '');
  // Not the function's: it sees the same environment whether its runtime waited for it or not.
  delete process.env.HEARTH_PRELOAD;
  const version = process.versions.node;
  channel.send(HELLO, 0, Buffer.from(`{"protocol":1,"runtime":"node","version":"${version}"}`));
  // Nothing of the user's is loaded: no event to miss while this blocks.
  const message = channel.receive();
  if (!message || message.kind === SHUTDOWN) process.exit(0);
  if (message.kind !== INIT || message.invocation !== 0) {
    throw new ProtocolError(`expected INIT of invocation 0, got type ${message.kind} of ${message.invocation}`);
  }
  current = 0;
  start(object(message.body, 'INIT')).then(ready, (error) => end(error));
}

function preload(names) {
  for (const name of names.split(/[\s,]+/).filter(Boolean)) {
    try {
      require(name);
    } catch (error) {
      console.error(`hearth: preload of ${name} failed: ${error.message}`);
    }
  }
}

async function start(init) {
  if (init.protocol !== 1) {
    const asked = String(JSON.stringify(init.protocol)).slice(0, 100);
    const message = `this runtime speaks protocol 1, INIT asks for ${asked}: update the runtime`;
    throw new Failure('Runtime.UnsupportedProtocol', message);
  }
  results = require('./result.cjs');
  loaded = await require('./function.cjs').loadFunction(init);
}

function ready() {
  // After an immediate, a promise that the code rejected while loading, and did not handle, has been noticed.
  setImmediate(() => {
    current = null;
    guard(() => {
      channel.send(READY, 0);
      next();
    });
  });
}

/** Waits for a message: in read(2) if nothing of the user's can happen meanwhile, in the event loop otherwise. */
function next() {
  if (!channel.socket && !holdsEventLoop()) take(channel.receive());
  else channel.listen((message) => guard(() => take(message)), end);
}

function holdsEventLoop() {
  return !process.getActiveResourcesInfo || process.getActiveResourcesInfo().length > 0;
}

function take(message) {
  if (!message || message.kind === SHUTDOWN) process.exit(0);
  const { kind, invocation, body } = message;
  if (kind !== INVOKE || invocation === 0) {
    throw new ProtocolError(`expected INVOKE or SHUTDOWN, got type ${kind} of invocation ${invocation}`);
  }
  const split = body.length < 12 ? 12 : 12 + body.readUInt32BE(8);
  if (body.length < split) throw new ProtocolError(`INVOKE of ${body.length} bytes: its context ends at byte ${split}`);
  const remaining = body.readUInt32BE(0) * 2 ** 32 + body.readUInt32BE(4);
  const fields = object(body.subarray(12, split), 'the context of INVOKE');
  current = invocation;
  invoke(invocation, contextOf(fields, remaining, body.subarray(split)));
}

function invoke(invocation, context) {
  // The first of them counts: a callback called twice, or after a timeout, answers nothing else.
  let settled = false;
  const once = (settle) => (value) => {
    if (settled) return;
    settled = true;
    settle(value);
  };
  const succeed = once((value) => answer(invocation, value));
  const fail = once((error) => finish(invocation, ERROR, encodeFailure(error)));
  const callback = (error, value) => (error === undefined || error === null ? succeed(value) : fail(error));
  const target = context.event === 'warmup' ? loaded.warmup : loaded.handler;
  let value;
  try {
    value = target(results.eventOf(context.payload), context, callback);
  } catch (error) {
    return fail(error);
  }
  if (value && typeof value.then === 'function') value.then(succeed, fail);
  else if (value !== undefined || target.length < 3) succeed(value);
}

async function answer(invocation, value) {
  try {
    if (!results.isStream(value)) {
      const body = results.resultBytes(value);
      checkSize(body.length);
      return finish(invocation, RESULT, body);
    }
    let total = 0;
    for await (const piece of results.piecesOf(value)) {
      if (current !== invocation) return;
      total += piece.length;
      checkSize(total);
      channel.send(CHUNK, invocation, piece);
    }
    finish(invocation, RESULT, null);
  } catch (error) {
    if (error instanceof ChannelLost) end(error);
    else finish(invocation, ERROR, encodeFailure(error));
  }
}

function checkSize(size) {
  const limit = loaded.maxResultBytes;
  if (!limit || size <= limit) return;
  throw new Failure(
    'Function.ResponseSizeTooLarge',
    `the result is ${size} bytes or more and the limit is ${limit}: return less, or raise the function's limit`,
  );
}

/** Sends what ends the invocation, once promises that were rejected on the way have had their say. */
function finish(invocation, kind, body) {
  setImmediate(() => {
    if (current !== invocation) return;
    current = null;
    guard(() => {
      channel.send(kind, invocation, body);
      next();
    });
  });
}

function guard(step) {
  try {
    step();
  } catch (error) {
    end(error);
  }
}

/** Ends the process for `error`: reported to the agent if it waits for an answer, on stderr otherwise. */
function end(error) {
  let status = EXIT_FAILED;
  if (error instanceof ProtocolError) {
    status = EXIT_PROTOCOL;
    console.error(`hearth: protocol error on fd 3: ${error.message}`);
  } else if (error instanceof ChannelLost) {
    status = EXIT_CHANNEL_LOST;
    console.error(`hearth: the function lost its agent: ${error.message}`);
  } else if (current === null) {
    console.error(`hearth: between invocations: ${encodeFailure(error)}`);
  } else {
    report(encodeFailure(error, current > 0));
  }
  current = null;
  process.exit(status);
}

function report(body) {
  const invocation = current;
  current = null;
  try {
    channel.send(invocation > 0 ? ERROR : INIT_ERROR, invocation, body);
  } catch { /* the agent is gone, and so are we */ }
}

function object(body, what) {
  let value;
  try {
    value = JSON.parse(body.utf8Slice(0, body.length));
  } catch (error) {
    throw new ProtocolError(`${what} is not JSON: ${error.message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ProtocolError(`${what} is not a JSON object`);
  }
  return value;
}

function contextOf(fields, remainingNs, payload) {
  const deadline = remainingNs ? process.hrtime.bigint() + BigInt(remainingNs) : 0n;
  return {
    functionName: loaded.name,
    functionVersion: '$LATEST',
    memoryLimitInMB: Math.floor(loaded.memoryBytes / 2 ** 20),
    awsRequestId: fields.request_id || '',
    user: fields.user || '',
    session: fields.session || '',
    event: fields.event || 'invoke',
    callbackWaitsForEmptyEventLoop: false,
    payload,
    getRemainingTimeInMillis() {
      if (!deadline) return NO_DEADLINE;
      const left = deadline - process.hrtime.bigint();
      return left > 0n ? Number(left / 1000000n) : 0;
    },
  };
}

// A listener of the user's own is the user's own answer; ours then stands back.
process.on('uncaughtException', (error) => {
  if (process.listenerCount('uncaughtException') === 1) end(error);
});
process.on('unhandledRejection', (reason) => {
  if (process.listenerCount('unhandledRejection') > 1) return;
  const failure = new Failure('Runtime.UnhandledPromiseRejection', `${typeOf(reason)}: ${messageOf(reason)}`, reason);
  end(reason instanceof ProtocolError || reason instanceof ChannelLost ? reason : failure);
});
process.on('exit', (status) => {
  if (current === null) return;
  const during = current ? 'the handler' : 'the code, while it was loaded,';
  const failure = new Failure('Runtime.ExitError', `${during} ended the process with status ${status}`);
  report(encodeFailure(failure, current > 0));
});
process.on('beforeExit', () => {
  if (current === null) return;
  const failure = new Failure(
    'Runtime.NeverSettled',
    'the event loop is empty and the promise or callback was never settled: something is not awaited or not called',
  );
  if (current === 0) end(failure);
  else finish(current, ERROR, encodeFailure(failure));
});

guard(main);
