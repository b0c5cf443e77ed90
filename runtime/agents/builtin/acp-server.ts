/**
 * The agent's side of ACP, for the built-in agents: JSON-RPC in lines on stdin and stdout. It has the shape of the
 * library that the console itself speaks ACP with, and only its types. The library builds the validators of the whole
 * protocol when it is loaded; that is nine tenths of the start of such a small program, and 15 MB of each of them, and here
 * the other side is our own client, which sends what the library has checked.
 */
import type {
  AgentNotificationParamsByMethod,
  AgentRequestParamsByMethod,
  AgentRequestResponsesByMethod,
} from '@agentclientprotocol/sdk';

export const PROTOCOL_VERSION = 1;

const NEWLINE = '\n';

type Id = string | number | null;
type MaybePromise<T> = T | Promise<T>;

interface Incoming {
  id?: Id;
  method?: unknown;
  params?: unknown;
  result?: unknown;
  error?: { code: number; message: string; data?: unknown };
}

/** The client, as the handlers see it. */
export interface AgentContext {
  /** Resolves when it is written, so that a flood waits for its reader. */
  notify(method: string, params: unknown): Promise<void>;
  /** Rejects with {@link RequestError} as the client answers. */
  request<T>(method: string, params: unknown): Promise<T>;
}

type Handler<Params, Result> = (context: { params: Params; client: AgentContext }) => MaybePromise<Result>;

/** What is answered in place of a result. */
export class RequestError extends Error {
  readonly code: number;
  readonly data: unknown;

  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }

  static invalidParams(data: unknown): RequestError {
    return new RequestError(-32602, 'Invalid params', data);
  }

  static sessionNotFound(sessionId: string): RequestError {
    return new RequestError(-32002, `Session not found: ${sessionId}`, { sessionId });
  }
}

/** What a program answers, before anybody asks. */
export class AgentApp {
  readonly #requests = new Map<string, Handler<unknown, unknown>>();
  readonly #notifications = new Map<string, Handler<unknown, unknown>>();

  /** With `parse`, for a method that is no part of ACP: it checks the params, by throwing. */
  onRequest<Method extends keyof AgentRequestParamsByMethod>(
    method: Method,
    handler: Handler<AgentRequestParamsByMethod[Method], AgentRequestResponsesByMethod[Method]>,
  ): this;
  onRequest<Params>(
    method: string,
    parse: (params: unknown) => Params,
    handler: Handler<Params, unknown>,
  ): this;
  onRequest(
    method: string,
    first: ((params: unknown) => unknown) | Handler<unknown, unknown>,
    second?: Handler<unknown, unknown>,
  ): this {
    const handler: Handler<unknown, unknown> =
      second === undefined
        ? (first as Handler<unknown, unknown>)
        : ({ params, client }) => second({ params: (first as (params: unknown) => unknown)(params), client });
    this.#requests.set(method, handler);
    return this;
  }

  onNotification<Method extends keyof AgentNotificationParamsByMethod>(
    method: Method,
    handler: Handler<AgentNotificationParamsByMethod[Method], unknown>,
  ): this {
    this.#notifications.set(method, handler as Handler<unknown, unknown>);
    return this;
  }

  /** `write` resolves when the text is on its way. Returns what takes the text that comes. */
  connect(write: (text: string) => Promise<void>): (text: string) => void {
    const asked = new Map<Id, PromiseWithResolvers<unknown>>();
    let lastId = 0;
    const send = (message: object) => write(JSON.stringify({ jsonrpc: '2.0', ...message }) + NEWLINE);
    const client: AgentContext = {
      notify: (method, params) => send({ method, params }),
      request<T>(method: string, params: unknown): Promise<T> {
        lastId += 1;
        const answer = Promise.withResolvers<unknown>();
        asked.set(lastId, answer);
        void send({ id: lastId, method, params });
        return answer.promise as Promise<T>;
      },
    };

    const answer = async (id: Id, method: string, params: unknown) => {
      try {
        const handler = this.#requests.get(method);
        if (handler === undefined) throw new RequestError(-32601, `Method not found: ${method}`, { method });
        const result = await handler({ params, client });
        await send({ id, result: result ?? {} });
      } catch (error) {
        await send({ id, error: errorOf(error) });
      }
    };

    const notice = async (method: string, params: unknown) => {
      try {
        await this.#notifications.get(method)?.({ params, client });
      } catch (error) {
        // A notification has no answer in which that could be said.
        process.stderr.write(`${method}: ${String(error)}\n`);
      }
    };

    const take = ({ id, method, params, result, error }: Incoming) => {
      if (typeof method === 'string') {
        if (id !== undefined) void answer(id, method, params);
        else void notice(method, params);
        return;
      }
      const waiting = id === undefined ? undefined : asked.get(id);
      if (id !== undefined) asked.delete(id);
      if (error == null) waiting?.resolve(result);
      else waiting?.reject(new RequestError(error.code, error.message, error.data));
    };

    return linesOf((line) => {
      let message: unknown;
      try {
        message = JSON.parse(line);
      } catch {
        void send({ id: null, error: { code: -32700, message: 'Parse error' } });
        return;
      }
      if (typeof message === 'object' && message !== null && !Array.isArray(message)) take(message);
      else void send({ id: null, error: { code: -32600, message: 'Invalid request' } });
    });
  }
}

function errorOf(error: unknown) {
  if (error instanceof RequestError) {
    const { code, message, data } = error;
    return { code, message, ...(data === undefined ? {} : { data }) };
  }
  const details = error instanceof Error ? error.message : String(error);
  return { code: -32603, message: 'Internal error', data: { details } };
}

/** Puts lines together from the pieces in which they come; blank ones are nothing. */
function linesOf(onLine: (line: string) => void): (text: string) => void {
  let pieces: string[] = [];
  return (text) => {
    const lines = text.split(NEWLINE);
    const rest = lines.pop() ?? '';
    for (const line of lines) {
      const whole = pieces.join('') + line;
      pieces = [];
      if (whole.trim() !== '') onLine(whole);
    }
    if (rest !== '') pieces.push(rest);
  };
}
