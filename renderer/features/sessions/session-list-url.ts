import {
  MAX_SEARCH_LENGTH,
  type SessionState,
  type SessionStatus,
  sessionState,
  sessionStatus,
} from '#contract';
import { choiceOf, type RawSearch, textOf } from '../../lib/url-state.ts';

/** What the list shows, as it stands in the address. */
export interface SessionListUrl {
  q: string | undefined;
  state: SessionState | undefined;
  status: SessionStatus | undefined;
  agent: string | undefined;
}

export function parseSessionListUrl(search: RawSearch): SessionListUrl {
  return {
    q: textOf(search, 'q')?.slice(0, MAX_SEARCH_LENGTH),
    state: choiceOf(search, 'state', sessionState.options),
    status: choiceOf(search, 'status', sessionStatus.options),
    agent: textOf(search, 'agent'),
  };
}

export const NO_SESSION_FILTER: SessionListUrl = {
  q: undefined,
  state: undefined,
  status: undefined,
  agent: undefined,
};

/** How many parts of the filter narrow the list. */
export function activeSessionFilters(url: SessionListUrl): number {
  return [url.q?.trim(), url.state, url.status, url.agent].filter((part) => part !== undefined && part !== '')
    .length;
}

/** The query of the API for it. */
export function sessionListQueryOf(url: SessionListUrl) {
  const search = url.q?.trim();
  return {
    ...(search !== undefined && search !== '' && { search }),
    ...(url.state !== undefined && { state: url.state }),
    ...(url.status !== undefined && { status: url.status }),
    ...(url.agent !== undefined && { agentId: url.agent }),
  };
}
