import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { serverPort } from './server-port.ts';

export interface TcpProxy extends AsyncDisposable {
  /** On 127.0.0.1; the same for its whole life. */
  readonly port: number;
  /** Connections that it passes on now. */
  readonly open: number;
  /** Connections that it has taken so far. */
  readonly accepted: number;
  /** Resets all connections, on both sides; new ones are taken. */
  cut(): void;
  /** Passes nothing any more, in neither direction, and keeps all connections open; new ones get no answer. */
  hang(): void;
  /** Resets all connections and takes no new ones, as when nobody listens. */
  refuse(): Promise<void>;
  /** Goes on as at first: what was held back by `hang` is passed on, and connections are taken. */
  heal(): Promise<void>;
  /**
   * Waits for the next piece of a request that contains `marker`, passes only its first `bytes` (default none) to the
   * server, and resets the connection. Resolves when that has happened.
   */
  cutRequest(marker: string, bytes?: (piece: Buffer) => number): Promise<void>;
  /**
   * Waits for the next piece of a request that contains `marker`, passes it on, and drops all that the server answers on
   * that connection from then on. Resolves when the first answer was dropped. The client waits until `cut`.
   */
  dropAnswer(marker: string): Promise<void>;
  /**
   * Waits for the next piece of a request that contains `marker`, holds it back, and takes nothing more from that
   * connection. The function that this resolves with sends the piece on, over a connection of its own: whatever has become
   * of the client's. Nobody is told the answer.
   */
  delayRequest(marker: string): Promise<() => void>;
  /** Resets everything and ends it. Idempotent. */
  close(): Promise<void>;
}

/** What is to happen to the next piece of a request that contains the marker. */
interface Trap {
  marker: string;
  spring(link: Link, piece: Buffer): void;
}

/** One client with its connection to the server. */
interface Link {
  client: Socket;
  server: Socket;
  /** Called with what the server answers, instead of passing it on. */
  onAnswer?: () => void;
}

/** Starts a proxy on loopback, in front of a server on loopback, that can do to connections what networks do. */
export async function startTcpProxy(target: { port: number }): Promise<TcpProxy> {
  const proxy = new ServerProxy(await serverPort(), target.port);
  await proxy.heal();
  return proxy;
}

class ServerProxy implements TcpProxy {
  readonly port: number;
  accepted = 0;
  readonly #target: number;
  readonly #links = new Set<Link>();
  #listener: Server | undefined;
  #hanging = false;
  #traps: Trap[] = [];

  constructor(port: number, target: number) {
    this.port = port;
    this.#target = target;
  }

  get open(): number {
    return this.#links.size;
  }

  async heal(): Promise<void> {
    this.#hanging = false;
    for (const { client, server } of this.#links) {
      client.resume();
      server.resume();
    }
    if (this.#listener !== undefined) return;
    // Half-open connections are passed on as such: a server may still answer to what a client sent before it ended.
    const listener = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#link(client));
    this.#listener = listener;
    listener.listen(this.port, '127.0.0.1');
    await once(listener, 'listening');
  }

  cut(): void {
    for (const link of this.#links) this.#reset(link);
  }

  hang(): void {
    this.#hanging = true;
    for (const { client, server } of this.#links) {
      client.pause();
      server.pause();
    }
  }

  async refuse(): Promise<void> {
    const listener = this.#listener;
    this.#listener = undefined;
    if (listener === undefined) return;
    const closed = once(listener, 'close');
    listener.close();
    this.cut();
    await closed;
  }

  cutRequest(marker: string, bytes: (piece: Buffer) => number = () => 0): Promise<void> {
    return this.#trap(marker, (link, piece, sprung) => {
      // An orderly end towards the server, or the system would throw away what it has not read yet.
      link.server.end(piece.subarray(0, bytes(piece)));
      link.client.resetAndDestroy();
      sprung();
    });
  }

  dropAnswer(marker: string): Promise<void> {
    return this.#trap(marker, (link, piece, sprung) => {
      link.onAnswer = sprung;
      link.server.write(piece);
    });
  }

  async close(): Promise<void> {
    await this.refuse();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  delayRequest(marker: string): Promise<() => void> {
    return this.#trap<() => void>(marker, (link, piece, sprung) => {
      link.client.pause();
      sprung(() => connect({ port: this.#target, host: '127.0.0.1' }).resume().end(piece));
    });
  }

  #trap<T = void>(
    marker: string,
    spring: (link: Link, piece: Buffer, sprung: (result: T) => void) => void,
  ): Promise<T> {
    return new Promise((resolve) => {
      this.#traps.push({ marker, spring: (link, piece) => spring(link, piece, resolve) });
    });
  }

  #link(client: Socket): void {
    this.accepted += 1;
    const server = connect({ port: this.#target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const link: Link = { client, server };
    this.#links.add(link);
    client.on('data', (piece) => this.#toServer(link, piece));
    server.on('data', (piece) => {
      if (link.onAnswer !== undefined) link.onAnswer();
      else this.#pass(piece, server, client);
    });
    client.on('end', () => server.end());
    server.on('end', () => client.end());
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      // What broke one side breaks the other one.
      one.on('error', () => other.resetAndDestroy());
      one.on('close', () => {
        if (client.destroyed && server.destroyed) this.#links.delete(link);
      });
    }
    if (this.#hanging) this.hang();
  }

  #toServer(link: Link, piece: Buffer): void {
    const trap = this.#traps.find(({ marker }) => piece.includes(marker));
    if (trap === undefined) this.#pass(piece, link.client, link.server);
    else {
      this.#traps = this.#traps.filter((other) => other !== trap);
      trap.spring(link, piece);
    }
  }

  #reset({ client, server }: Link): void {
    client.resetAndDestroy();
    server.resetAndDestroy();
  }

  /** Passes a piece on, and takes no more from its source until the other side has room. */
  #pass(piece: Buffer, from: Socket, to: Socket): void {
    if (to.destroyed || to.write(piece)) return;
    from.pause();
    to.once('drain', () => {
      if (!this.#hanging) from.resume();
    });
  }
}
