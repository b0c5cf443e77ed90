import { ERROR_CODES, isErrorCode, type Turn } from '#contract';
import { ApiError } from '../../lib/api-error.ts';
import { adviceFor } from '../../lib/error-advice.ts';

export interface TurnAdvice {
  /** What went wrong, in general. */
  title: string;
  /** What to do about it. */
  action: string;
  /** Where it is done, if not in the session. */
  link: { to: '/agents' | '/settings'; label: string } | undefined;
  /** Sending the same prompt again may help. */
  again: boolean;
}

const SETTINGS = { to: '/settings', label: 'Open Settings' } as const;
const AGENTS = { to: '/agents', label: 'Open Agents' } as const;

/** Where a failed turn asks for something else than a failed request does. */
const ACTIONS: Readonly<Record<string, string>> = {
  'provider.key_missing':
    'A key is a setting, read when the runtime starts: the Settings page shows which are set.',
  'provider.key_refused': 'Check the key for typing errors and that it was not revoked, then send again.',
  'provider.rate_limited': 'Wait a minute, then send again.',
  'provider.quota_exceeded': 'Add credit to the account at the provider, then send again.',
  'provider.model_not_found': 'Choose another model for the agent, or load it on your local server.',
  'provider.context_too_long': 'Go on in a new session, or choose a model with a larger context.',
  'provider.content_refused': 'Say it in other words.',
  'provider.unreachable': 'Check the network, or OPENAI_BASE_URL for a local server; then send again.',
  'agent.crashed': 'The agent is being restarted. Send again once it is healthy.',
  'agent.unresponsive': 'The agent is being restarted. Send again once it is healthy.',
  'agent.not_ready': 'The agent was still starting. Send again once it is healthy.',
};

/** Codes where the same prompt would fail in the same way. */
const POINTLESS = new Set([
  'agent.not_found',
  'provider.context_too_long',
  'provider.content_refused',
  'session.too_large',
]);

const SETTING_CODES = new Set(['provider.key_missing', 'provider.key_refused', 'provider.unreachable']);

/** What to tell the user about a turn that failed. */
export function turnAdvice(error: NonNullable<Turn['error']>): TurnAdvice {
  const { code, message } = error;
  const title = isErrorCode(code) ? ERROR_CODES[code].title : 'The agent could not finish its answer';
  return {
    title,
    action: ACTIONS[code] ?? adviceFor(new ApiError({ code, title, detail: message, status: 0 })),
    link: SETTING_CODES.has(code)
      ? SETTINGS
      : code.startsWith('agent.') || code === 'provider.model_not_found'
        ? AGENTS
        : undefined,
    again: !POINTLESS.has(code),
  };
}

/** What to tell the user about a turn that was interrupted. */
export function interruptionInWords(turn: Pick<Turn, 'error'>): { title: string; text: string } {
  const who = turn.error?.code.startsWith('agent.')
    ? 'the agent stopped while it was answering'
    : 'the app stopped while the agent was answering';
  const message = turn.error?.message ?? '';
  const repeats = message.toLowerCase().startsWith(who);
  return {
    title: `Interrupted: ${who}`,
    text: `${repeats ? '' : message} What had arrived is kept; nothing is sent again unless you ask.`.trim(),
  };
}
