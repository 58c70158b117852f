// `fs.createReadStream` and `fs.createWriteStream`.

import { Buffer, encodeText } from './buffer.mjs';
import { argumentError } from './errors.mjs';
import { closeSync, fs, openSync, promises, readSync, useStreams, writeSync } from './fs.mjs';
import { fileURLToPath } from './url.mjs';
import { Readable, Writable } from './streams.mjs';

const READ_BYTES = 64 << 10;

const optionsOf = (options) => (typeof options === 'string' ? { encoding: options } : options ?? {});
const shownPath = (path) => (path instanceof URL ? fileURLToPath(path) : path);

// Opens when the stream is made and reports it later, as Node does.
function begin(stream, path, flags, { fd, autoClose = true, emitClose = true }) {
  Object.assign(stream, { path: path === null ? undefined : shownPath(path), flags, autoClose, bytes: 0, pending: true });
  stream.fd = fd === undefined || fd === null ? null : fd.fd ?? fd;
}

function open(stream, done) {
  try {
    if (stream.fd === null) {
      stream.fd = openSync(stream.path, stream.flags);
      stream.emit('open', stream.fd);
    }
    stream.pending = false;
    stream.emit('ready');
    done();
  } catch (error) {
    done(error);
  }
}

function close(stream, error, done) {
  try {
    if (stream.autoClose && stream.fd !== null && stream.fd > 2) closeSync(stream.fd);
    stream.fd = null;
    done(error);
  } catch (failure) {
    done(error ?? failure);
  }
}

export class ReadStream extends Readable {
  constructor(path, options) {
    const settings = optionsOf(options);
    super({ highWaterMark: READ_BYTES, ...settings });
    begin(this, path, settings.flags ?? 'r', settings);
    if (settings.start !== undefined && typeof settings.start !== 'number') throw argumentError('start', 'of type number', settings.start);
    this.start = settings.start;
    this.end = settings.end ?? Infinity;
    this.bytesRead = 0;
  }

  _construct(done) { open(this, done); }

  _read(size) {
    const left = this.end - (this.start ?? 0) + 1 - this.bytesRead;
    const wanted = Math.min(size, left);
    if (!(wanted > 0)) return this.push(null);
    try {
      const chunk = Buffer.alloc(Math.min(wanted, READ_BYTES));
      const count = readSync(this.fd, chunk, 0, chunk.length, this.start === undefined ? null : this.start + this.bytesRead);
      this.bytesRead += count;
      return this.push(count > 0 ? chunk.subarray(0, count) : null);
    } catch (error) {
      return this.destroy(error);
    }
  }

  _destroy(error, done) { close(this, error, done); }
  close(done) {
    if (done) this.once('close', done);
    this.destroy();
  }
}

export class WriteStream extends Writable {
  constructor(path, options) {
    const settings = optionsOf(options);
    super({ decodeStrings: false, ...settings });
    begin(this, path, settings.flags ?? 'w', settings);
    this.position = settings.start;
    this.bytesWritten = 0;
    if (settings.encoding) this.setDefaultEncoding(settings.encoding);
  }

  _construct(done) { open(this, done); }

  _write(chunk, encoding, done) {
    try {
      const bytes = typeof chunk === 'string' ? encodeText(chunk, encoding) : chunk;
      for (let at = 0; at < bytes.length;) {
        const count = writeSync(this.fd, bytes, at, bytes.length - at, this.position ?? null);
        at += count;
        this.bytesWritten += count;
        if (this.position !== undefined) this.position += count;
      }
      done();
    } catch (error) {
      done(error);
    }
  }

  _destroy(error, done) { close(this, error, done); }
  close(done) {
    if (done) this.once('close', done);
    this.end();
  }
}

const createReadStream = (path, options) => new ReadStream(path, options);
const createWriteStream = (path, options) => new WriteStream(path, options);
Object.assign(fs, { createReadStream, createWriteStream, ReadStream, WriteStream, FileReadStream: ReadStream, FileWriteStream: WriteStream });

// Nothing changes but what the script itself changes, so there is nothing to watch.
const refuseToWatch = () => { throw Object.assign(new Error('fs.watch() is not available: nothing else changes files here'), { code: 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM' }); };
Object.assign(fs, { watch: refuseToWatch, watchFile: refuseToWatch, unwatchFile: () => undefined });
promises.watch = refuseToWatch;

export function useLineReader(readLines) { useStreams({ createReadStream, createWriteStream, readLines }); }
