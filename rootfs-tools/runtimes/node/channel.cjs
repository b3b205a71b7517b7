'use strict';
// Messages on fd 3 (protocol/FUNCTION.md), read by one blocking read(2) wherever nothing else can happen meanwhile.

const fs = require('fs');

const INIT = 1, INVOKE = 2, SHUTDOWN = 3;
const HELLO = 128, READY = 129, INIT_ERROR = 130, RESULT = 131, ERROR = 132, CHUNK = 133;

const HEADER_BYTES = 12;
/** The longest body either side may announce; checked before anything is allocated. */
const MAX_BODY_BYTES = 1 << 28;
/** The longest body of a CHUNK, an ERROR and an INIT_ERROR. */
const MAX_PIECE_BYTES = 1 << 16;
const READ_BYTES = 1 << 16;

/** The agent sent something that is not the function protocol. */
class ProtocolError extends Error {}
/** fd 3 is closed, by the function or at the agent's end. */
class ChannelLost extends Error {}

const pause = new Int32Array(new SharedArrayBuffer(4));

class Channel {
  constructor(fd) {
    this.fd = fd;
    this.socket = null;
    this.header = Buffer.allocUnsafeSlow(HEADER_BYTES);
    this.headerFilled = 0;
    this.body = null;
    this.bodyFilled = 0;
    this.input = Buffer.allocUnsafeSlow(READ_BYTES);
    this.rest = this.input.subarray(0, 0);
    this.output = Buffer.alloc(HEADER_BYTES);
  }

  /** Blocks for one message, {kind, invocation, body}; null when the agent has closed its end. */
  receive() {
    for (;;) {
      const message = this.#take();
      if (message) return message;
      // A long body goes straight to its place.
      const into = this.body && this.body.length - this.bodyFilled >= READ_BYTES;
      const count = into
        ? this.#read(this.body, this.bodyFilled)
        : this.#read(this.input, 0);
      if (count === 0) {
        this.#checkEnd();
        return null;
      }
      if (into) this.bodyFilled += count;
      else this.rest = this.input.subarray(0, count);
    }
  }

  /**
   * Goes over to an event driven socket: `deliver(message or null)` is called, or `fail(error)`.
   * For functions that keep timers or connections, which must go on between invocations.
   */
  listen(deliver, fail) {
    if (!this.socket) {
      const net = require('net');
      this.socket = new net.Socket({ fd: this.fd, readable: true, writable: true, allowHalfOpen: true });
      this.pending = [];
      this.socket.on('data', (data) => {
        this.pending.push(data);
        this.#deliver();
      });
      this.socket.on('end', () => {
        this.ended = true;
        this.#deliver();
      });
      this.socket.on('error', (error) => this.fail(new ChannelLost(`fd 3 cannot be read: ${error.code}`)));
    }
    this.deliver = deliver;
    this.fail = fail;
    this.socket.ref();
    this.socket.resume();
    if (this.rest.length || this.pending.length || this.ended) process.nextTick(() => this.#deliver());
  }

  #deliver() {
    if (!this.deliver) return;
    try {
      let message = this.#take();
      while (!message && this.pending.length) {
        this.rest = this.pending.shift();
        message = this.#take();
      }
      if (!message && !this.ended) return;
      if (!message) this.#checkEnd();
      // Not while an invocation runs: then only what the handler itself waits for may keep the process.
      const deliver = this.deliver;
      this.deliver = null;
      this.socket.pause();
      this.socket.unref();
      deliver(message);
    } catch (error) {
      this.deliver = null;
      this.fail(error);
    }
  }

  #read(buffer, offset) {
    for (;;) {
      try {
        return fs.readSync(this.fd, buffer, offset, buffer.length - offset, null);
      } catch (error) {
        if (error.code === 'ECONNRESET') return 0; // the agent closed its end with messages of ours unread
        if (error.code === 'EAGAIN') Atomics.wait(pause, 0, 0, 1);
        else throw new ChannelLost(`fd 3 cannot be read: ${error.code}`);
      }
    }
  }

  #checkEnd() {
    if (this.headerFilled) throw new ProtocolError('the stream ended inside a message');
  }

  /** Moves what was read into the message that is being put together; the message, once it is whole. */
  #take() {
    if (!this.body) {
      const part = this.rest.copy(this.header, this.headerFilled);
      this.headerFilled += part;
      this.rest = this.rest.subarray(part);
      if (this.headerFilled < HEADER_BYTES) return null;
      const length = this.header.readUInt32BE(0);
      const kind = this.header[4];
      if (this.header[5] | this.header[6] | this.header[7]) {
        throw new ProtocolError(`the reserved bytes of a header are ${this.header.toString('hex', 5, 8)}, not zero`);
      }
      if (kind < INIT || kind > SHUTDOWN) {
        throw new ProtocolError(`there is no message type ${kind} from agent to function`);
      }
      if (length > MAX_BODY_BYTES) {
        throw new ProtocolError(`a body of ${length} bytes is announced; the limit is ${MAX_BODY_BYTES}`);
      }
      this.body = length < 4096 ? Buffer.allocUnsafe(length) : Buffer.allocUnsafeSlow(length);
      this.bodyFilled = 0;
    }
    const part = this.rest.copy(this.body, this.bodyFilled);
    this.bodyFilled += part;
    this.rest = this.rest.subarray(part);
    if (this.bodyFilled < this.body.length) return null;
    const message = { kind: this.header[4], invocation: this.header.readUInt32BE(8), body: this.body };
    this.headerFilled = 0;
    this.body = null;
    return message;
  }

  /** Writes one message and returns when all of it is written: nothing is left behind when the process then exits. */
  send(kind, invocation, body) {
    const length = body ? body.length : 0;
    this.output.writeUInt32BE(length, 0);
    this.output[4] = kind;
    this.output.writeUInt32BE(invocation, 8);
    let parts = length ? [this.output, body] : [this.output];
    while (parts.length) {
      let written;
      try {
        written = fs.writevSync(this.fd, parts);
      } catch (error) {
        if (error.code !== 'EAGAIN') throw new ChannelLost(`fd 3 cannot be written: ${error.code}`);
        Atomics.wait(pause, 0, 0, 1); // the socket of listen() does not block, and its buffer is full
        continue;
      }
      while (parts.length && written >= parts[0].length) written -= parts.shift().length;
      if (written) parts[0] = parts[0].subarray(written);
    }
  }
}

module.exports = {
  Channel, ChannelLost, ProtocolError, MAX_PIECE_BYTES,
  INIT, INVOKE, SHUTDOWN, HELLO, READY, INIT_ERROR, RESULT, ERROR, CHUNK,
};
