import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRedactor } from './redact.ts';

describe('createRedactor', () => {
  it('masks the given secrets wherever and however they are written', () => {
    const redact = createRedactor(['s3cret"/+', 'abc', 'longer-s3cret"/+']);
    for (const written of ['s3cret"/+', 's3cret\\"/+', encodeURIComponent('s3cret"/+'), 'longer-s3cret"/+']) {
      expect(redact(`before ${written} after`)).toBe('before ••• after');
    }
    expect(redact('abc is too short to be a secret')).toContain('abc');
  });

  it.each([
    ['Authorization: Bearer abcdefghijkl', 'Authorization: Bearer •••'],
    ['{"authorization":"Bearer abcdefghijkl","x":1}', '{"authorization":"Bearer •••","x":1}'],
    [
      '{"m":"{\\"authorization\\":\\"Basic dXNlcjpwYXNz\\"}"}',
      '{"m":"{\\"authorization\\":\\"Basic •••\\"}"}',
    ],
    ['{"authorization":"plainvalue"}', '{"authorization":"•••"}'],
    ['sent bearer abcdefgh.ijk-lmn', 'sent bearer •••'],
    ['"x-api-key": "k-123456"', '"x-api-key": "•••"'],
    ['"x-goog-api-key":"k-123456"', '"x-goog-api-key":"•••"'],
    ['key sk-proj-abcdefghijklmnopqrstuv!', 'key •••!'],
    ['key sk-ant-api03-abcdefghijklmnop', 'key •••'],
    [`AIza${'x'.repeat(35)}`, '•••'],
    ['xoxb-1234567890-abcdefghij', '•••'],
    [`ghp_${'a1'.repeat(18)}`, '•••'],
    [`github_pat_${'a1'.repeat(18)}`, '•••'],
    ['redis://user:hunter2@host:6379/0', 'redis://user:•••@host:6379/0'],
    ['redis://:hunter2@host', 'redis://:•••@host'],
    ['http://127.0.0.1:3000/?token=abc.def', 'http://127.0.0.1:3000/?token=•••'],
    ['GET /v1?alt=sse&key=AB12 HTTP/1.1', 'GET /v1?alt=sse&key=••• HTTP/1.1'],
    ['password=hunter22&x=1', 'password=•••&x=1'],
    ['-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----', '•••'],
  ])('masks %s', (text, masked) => {
    expect(createRedactor([])(text)).toBe(masked);
  });

  it.each([
    'a task-force that asks-for more',
    'the bearer of news',
    '{"message":"plain","metadata":{"id":"01h2xcejqtf2nbrexx3vqjhp41"}}',
    'http://127.0.0.1:3000/sessions/abc',
    'me@example.com wrote to you@example.com',
    'tokens: 12',
  ])('leaves %s', (text) => {
    expect(createRedactor(['a-secret-that-is-not-there'])(text)).toBe(text);
  });

  it('masks one that has no form in a URL, and the others with it', () => {
    const redact = createRedactor(['half \ud800 pair', 'another-one']);
    expect(redact('a half \ud800 pair and another-one')).toBe('a ••• and •••');
  });

  it('never lets a given secret through, whatever stands around it', () => {
    const secret = fc.string({ minLength: 4, maxLength: 40 }).filter((text) => text.isWellFormed());
    fc.assert(
      fc.property(secret, fc.string(), fc.string(), (given, before, after) => {
        fc.pre(!before.includes(given) && !'•••'.includes(given));
        const masked = createRedactor([given])(`${before}${given}${after}`);
        return !masked.includes(given) || after.includes(given) || before.concat('•••').includes(given);
      }),
    );
  });
});
