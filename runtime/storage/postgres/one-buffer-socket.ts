import { Socket, type SocketConstructorOpts } from 'node:net';

const READ_BYTES = 64 * 1024;

/** What `net.connect` takes and a socket as well, though its type does not say so. */
interface ReadOptions extends SocketConstructorOpts {
  onread: { buffer: Buffer; callback: (count: number) => boolean };
}

/**
 * A socket that reads into one buffer, where others have a new one of 64 KB for each piece that comes: V8 learns late of bytes
 * that are not in its heap, and collects all of it again and again because of them. Until somebody takes over what comes, it
 * is a socket like any other. Under TLS, where the bytes are those of another stream, it remains one.
 */
export class OneBufferSocket extends Socket {
  /** What is called with each piece, which is overwritten as soon as this returns. */
  receive = (bytes: Buffer): void => {
    this.emit('data', Buffer.from(bytes));
  };

  constructor() {
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    const callback = (count: number): boolean => {
      this.receive(buffer.subarray(0, count));
      return true;
    };
    const options: ReadOptions = { onread: { buffer, callback } };
    super(options);
  }
}
