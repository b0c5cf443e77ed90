import { describe, expect, it } from 'vitest';
import type { Setting } from '#contract';
import { groupSettings } from './setting-groups.ts';

const setting = (name: string, group: string, change: Partial<Setting> = {}): Setting => ({
  name,
  group,
  description: `About ${name}`,
  value: '1',
  defaultValue: '1',
  source: 'default',
  secret: false,
  ...change,
});

const all = [
  setting('APP_PORT', 'application', { value: '3000' }),
  setting('SESSION_TTL', 'sessions'),
  setting('LOG_LEVEL', 'application'),
  setting('OPENAI_API_KEY', 'model providers', { value: '••••3000', secret: true }),
];

describe('groupSettings', () => {
  it('keeps the order of the runtime', () => {
    expect(
      groupSettings(all, '').map(({ name, settings }) => [name, settings.map((each) => each.name)]),
    ).toEqual([
      ['application', ['APP_PORT', 'LOG_LEVEL']],
      ['sessions', ['SESSION_TTL']],
      ['model providers', ['OPENAI_API_KEY']],
    ]);
  });

  it('searches names, descriptions and values, but not what stands for a secret', () => {
    const found = (search: string) =>
      groupSettings(all, search).flatMap(({ settings }) => settings.map(({ name }) => name));
    expect(found(' session_ttl ')).toEqual(['SESSION_TTL']);
    expect(found('3000')).toEqual(['APP_PORT']);
    expect(found('nothing')).toEqual([]);
  });
});
