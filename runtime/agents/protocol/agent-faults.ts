/** What goes wrong on the way to an agent, in the codes of the product. */
import { RequestError } from '@agentclientprotocol/sdk';
import * as z from 'zod';
import { type CodedError, isCoded, messageOf } from '../../base/errors.ts';
import { type AuthMethod, fault, isErrorCode } from '../../contract/index.ts';
import type { ProcessEnd } from '../processes/agent-process.ts';
import { loginInWords } from './auth-methods.ts';
import { boundedText } from './json-bounds.ts';

/** It is kept with the turn, and shown. */
const MAX_MESSAGE = 4000;

const PARSE_ERROR = -32700;
const INVALID_REQUEST = -32600;
const METHOD_NOT_FOUND = -32601;
const AUTHENTICATION_REQUIRED = -32000;
const RESOURCE_NOT_FOUND = -32002;

/** What an agent may tell beside the message of an error. `code` is how our built-in agents name the kind. */
const errorData = z.object({
  code: z.string().optional().catch(undefined),
  retryAfterMs: z.number().nonnegative().optional().catch(undefined),
  details: z.string().optional().catch(undefined),
  message: z.string().optional().catch(undefined),
});

/**
 * The fault for what a request to an agent failed with: a fault stays as it is, an error that the agent answered becomes
 * `provider.*` (when it names such a code), `agent.login_needed`, `agent.protocol_error` or `agent.failed`. `redact` is
 * given every text of the agent's; `authMethods` are the ways to log in that it offers.
 */
export function toAgentFault(
  error: unknown,
  method: string,
  redact: (text: string) => string,
  authMethods: readonly AuthMethod[] = [],
): CodedError {
  if (isCoded(error)) return error;
  if (!(error instanceof RequestError)) {
    return fault('agent.protocol_error', `The connection to the agent failed: ${redact(messageOf(error))}`);
  }
  const data = errorData.safeParse(error.data).data ?? {};
  const details = data.details ?? data.message;
  const told = redact(details === undefined ? error.message : `${error.message}: ${details}`);
  const message = boundedText(told, MAX_MESSAGE);
  if (data.code?.startsWith('provider.') && isErrorCode(data.code)) {
    return fault(
      data.code,
      message,
      data.retryAfterMs === undefined ? {} : { retryAfterMs: data.retryAfterMs },
    );
  }
  switch (error.code) {
    case METHOD_NOT_FOUND:
      return fault('agent.protocol_error', `The agent does not know the method ${method}.`, { method });
    case AUTHENTICATION_REQUIRED:
      return fault(
        'agent.login_needed',
        `The agent needs a login: ${message.replace(/\.$/, '')}. ${loginInWords(authMethods)}`,
        { authMethods: authMethods.map(({ id, name, type }) => ({ id, name, type })) },
      );
    case RESOURCE_NOT_FOUND:
      return fault('agent.failed', message, { method, isUnknown: true });
    // Ours or the agent's view of a malformed message; the library rejects with the same codes when an answer is malformed.
    case PARSE_ERROR:
    case INVALID_REQUEST:
      return fault('agent.protocol_error', `${method} was answered with “${message}”.`, { method });
    default:
      return fault('agent.failed', message, { method });
  }
}

/** How a process ended, in words. */
export function endInWords(end: Pick<ProcessEnd, 'code' | 'signal'>): string {
  return end.signal === null
    ? `It ended with exit code ${end.code}`
    : `It was ended by the signal ${end.signal}`;
}

/** The fault of everything that waited for a process that ended unasked. */
export function crashed(end: ProcessEnd): CodedError {
  return fault('agent.crashed', `The agent's process is gone. ${endInWords(end)}.`, {
    code: end.code,
    signal: end.signal,
  });
}
