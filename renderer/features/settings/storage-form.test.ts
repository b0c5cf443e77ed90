import { describe, expect, it } from 'vitest';
import { ApiError } from '../../lib/api-error.ts';
import { choiceOf, EMPTY_FIELDS, errorsOfAnswer, firstChoice } from './storage-form.ts';

describe('choiceOf', () => {
  it('asks for the addresses that the storage needs, and for no other', () => {
    const of = (type: 'sqlite' | 'redis' | 'postgres' | 'hybrid') => choiceOf({ ...EMPTY_FIELDS, type }, {});
    expect(of('sqlite')).toEqual({ choice: { type: 'sqlite' } });
    expect(of('redis')).toEqual({ errors: { redisUrl: expect.any(String) } });
    expect(of('postgres')).toEqual({ errors: { postgresUrl: expect.any(String) } });
    expect(of('hybrid')).toEqual({
      errors: { redisUrl: expect.any(String), postgresUrl: expect.any(String) },
    });
  });

  it('sends nothing of what belongs to another storage', () => {
    const fields = {
      ...EMPTY_FIELDS,
      type: 'postgres' as const,
      redisUrl: 'redis://left-over',
      redisPassword: 'left over',
      postgresUrl: ' postgres://db/talk ',
      postgresPassword: ' as it is ',
    };
    expect(choiceOf(fields, {})).toEqual({
      choice: { type: 'postgres', postgres: { url: 'postgres://db/talk', password: ' as it is ' } },
    });
  });

  it('leaves out an address that is set already', () => {
    const known = { redis: 'redis://a:6379', postgres: 'postgres://b/talk' };
    expect(choiceOf({ ...EMPTY_FIELDS, type: 'hybrid' }, known)).toEqual({
      choice: { type: 'hybrid', redis: {}, postgres: {} },
    });
  });

  it('tells the nodes of a cluster from an address', () => {
    const fields = { ...EMPTY_FIELDS, type: 'redis' as const, redisCluster: true, redisUrl: 'a:1,b:2' };
    expect(choiceOf(fields, {})).toEqual({ choice: { type: 'redis', redis: { clusterNodes: 'a:1,b:2' } } });
  });
});

describe('errorsOfAnswer', () => {
  it('puts what the runtime says to the field that it means', () => {
    const answer = new ApiError({
      code: 'request.invalid',
      status: 400,
      title: '',
      detail: '',
      data: {
        issues: [
          { path: 'redis.clusterNodes', message: 'must be nodes' },
          { path: 'postgres.url', message: 'must be a URL' },
          { path: 'type', message: 'is none of the fields' },
        ],
      },
    });
    expect(errorsOfAnswer(answer)).toEqual({ redisUrl: 'must be nodes', postgresUrl: 'must be a URL' });
    expect(errorsOfAnswer(new Error('of another kind'))).toEqual({});
  });
});

it('never offers the storage in force first', () => {
  expect(firstChoice('sqlite')).not.toBe('sqlite');
  expect(firstChoice('postgres')).not.toBe('postgres');
});
