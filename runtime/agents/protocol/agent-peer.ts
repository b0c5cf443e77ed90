import { type ClientConnection, client, methods, type Stream } from '@agentclientprotocol/sdk';
import * as z from 'zod';
import type { Clock } from '../../base/clock.ts';
import type { CodedError } from '../../base/errors.ts';
import { type AuthMethod, fault } from '../../contract/index.ts';
import { toAgentFault } from './agent-faults.ts';
import { EXTENSION_METHODS } from './extensions.ts';

export interface AgentPeerOptions {
  clock: Clock;
  redact: (text: string) => string;
  /** The ways to log in that the agent told, for the words of a fault. */
  authMethods: () => readonly AuthMethod[];
  /**
   * Requests of the agent, their params as they came. What they resolve with is the answer; they do not reject. The signal
   * aborts when the agent takes the request back (`$/cancel_request`).
   */
  onPermission: (params: unknown, signal: AbortSignal) => Promise<Record<string, unknown>>;
  onElicitation: (params: unknown, signal: AbortSignal) => Promise<Record<string, unknown>>;
}

/** The agent at the other end of the wire: requests and notifications to it, in the faults of the product. */
export class AgentPeer {
  /** When an answer came last, on the monotonic clock; probes do not count. */
  lastAnswerAt: number;
  readonly #connection: ClientConnection;
  readonly #options: AgentPeerOptions;

  constructor(stream: Stream, options: AgentPeerOptions) {
    this.#options = options;
    this.lastAnswerAt = options.clock.monotonic();
    const asItCame = (params: unknown) => params;
    this.#connection = client({ name: 'smalltalk-console' })
      .onRequest<unknown, Record<string, unknown>>(
        methods.client.session.requestPermission,
        asItCame,
        ({ params, signal }) => options.onPermission(params, signal),
      )
      .onRequest<unknown, Record<string, unknown>>(
        methods.client.elicitation.create,
        asItCame,
        ({ params, signal }) => options.onElicitation(params, signal),
      )
      .connect(stream);
  }

  get isClosed(): boolean {
    return this.#connection.signal.aborted;
  }

  /** Resolves when nothing can be sent or received any more. */
  get closed(): Promise<void> {
    return this.#connection.closed;
  }

  close(reason: CodedError): void {
    this.#connection.close(reason);
  }

  /**
   * Sends a request. Rejects with what the agent answered as a fault, with `agent.protocol_error` when its answer does not
   * fit the schema or does not come within `timeoutMs`, or with the reason for which the connection was closed.
   */
  async request<T>(
    method: string,
    params: Record<string, unknown>,
    response: z.ZodType<T>,
    timeoutMs?: number,
  ): Promise<T> {
    const told = await this.#inTime(
      this.#connection.agent.request<unknown>(method, params),
      method,
      timeoutMs,
    ).catch((error: unknown) => {
      throw toAgentFault(error, method, this.#options.redact, this.#options.authMethods());
    });
    this.lastAnswerAt = this.#options.clock.monotonic();
    // An agent may answer with nothing where ACP has an object without required members.
    const parsed = response.safeParse(told ?? {});
    if (parsed.success) return parsed.data;
    throw fault(
      'agent.protocol_error',
      `The agent answered ${method} with something else than ACP says: ${z.prettifyError(parsed.error)}`,
      { method },
    );
  }

  /** Sends a notification; that it cannot be sent is nothing that its sender could do anything about. */
  notify(method: string, params: Record<string, unknown>): void {
    this.#connection.agent.notify(method, params).catch(() => undefined);
  }

  /** Resolves when the agent answered anything at all: that it does not know the method is an answer. */
  async ping(): Promise<void> {
    await this.#connection.agent.request(EXTENSION_METHODS.ping, {}).catch((error: unknown) => {
      if (this.isClosed) throw error;
    });
  }

  #inTime(answer: Promise<unknown>, method: string, timeoutMs: number | undefined): Promise<unknown> {
    if (timeoutMs === undefined) return answer;
    const late = Promise.withResolvers<never>();
    const timer = this.#options.clock.after(timeoutMs, () =>
      late.reject(
        fault('agent.protocol_error', `It did not answer ${method} within ${timeoutMs / 1000} s.`, {
          method,
        }),
      ),
    );
    return Promise.race([answer, late.promise]).finally(() => timer.cancel());
  }
}
