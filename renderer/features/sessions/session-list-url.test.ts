import { expect, test } from 'vitest';
import { activeSessionFilters, parseSessionListUrl, sessionListQueryOf } from './session-list-url.ts';

test('the address becomes the query of the API', () => {
  const url = parseSessionListUrl({ q: '  release ', state: 'archived', status: 'failed', agent: 'echo' });
  expect(sessionListQueryOf(url)).toEqual({
    search: 'release',
    state: 'archived',
    status: 'failed',
    agentId: 'echo',
  });
  expect(activeSessionFilters(url)).toBe(4);
});

test('what makes no sense in the address does not filter', () => {
  const url = parseSessionListUrl({ q: '   ', state: 'gone', status: ['busy'], agent: {} });
  expect(sessionListQueryOf(url)).toEqual({});
  expect(activeSessionFilters(url)).toBe(0);
  expect(parseSessionListUrl({ q: 'x'.repeat(500) }).q).toHaveLength(200);
});
