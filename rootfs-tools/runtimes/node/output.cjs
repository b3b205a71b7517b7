'use strict';
// console and process.stdout that have written everything when they return: logs are cut at RESULT.

const fs = require('fs');

/**
 * Gives console a plain writer. Through process.stdout the first console.log loads net, stream and tty (4 ms), and what
 * does not fit in a pipe at once is written some time later, or never if the process exits (Node 20 loses it).
 */
function makeOutputSynchronous() {
  for (const [name, fd] of [['stdout', 1], ['stderr', 2]]) {
    Object.defineProperty(console, `_${name}`, { value: writer(fd), configurable: true, writable: true });
    const property = Object.getOwnPropertyDescriptor(process, name);
    if (!property || !property.get || !property.configurable) continue;
    const original = property.get;
    let stream;
    Object.defineProperty(process, name, {
      ...property,
      get() {
        if (!stream) {
          stream = original.call(process);
          if (stream._handle && stream._handle.setBlocking) stream._handle.setBlocking(true);
        }
        return stream;
      },
    });
  }
}

function writer(fd) {
  const nothing = () => {};
  return {
    fd, isTTY: false, writable: true,
    on: nothing, once: nothing, removeListener: nothing, listenerCount: () => 0,
    write(text) {
      let data = Buffer.from(text);
      try {
        while (data.length) data = data.subarray(fs.writeSync(fd, data));
      } catch { /* the handler closed it, or nobody reads: as with any console, not the handler's error */ }
      return true;
    },
  };
}

module.exports = { makeOutputSynchronous };
