import { expect, test } from 'vitest';
import { createLogger } from './logger.ts';

function capture(level: 'debug' | 'info' = 'info') {
  const lines: string[] = [];
  const logger = createLogger({
    level,
    write: (line) => lines.push(line),
    redact: (line) => line.replaceAll('hunter2', '••••'),
  });
  return { logger, lines, parsed: () => lines.map((line) => JSON.parse(line)) };
}

test('one JSON object a line, with the fields that the documents name', () => {
  const { logger, lines, parsed } = capture();
  logger.with({ component: 'sessions', correlationId: 'c1' }).error('It broke', { sessionId: 's' });
  expect(lines[0]).toMatch(/^\{.*\}\n$/);
  expect(parsed()).toEqual([
    {
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      level: 'ERROR',
      correlation_id: 'c1',
      component: 'sessions',
      message: 'It broke',
      metadata: { sessionId: 's' },
    },
  ]);
});

test('nothing below the level, and no secret in any field', () => {
  const { logger, lines } = capture();
  logger.debug('hidden');
  logger.info('the key is hunter2', { nested: { key: 'hunter2' } });
  expect(lines).toHaveLength(1);
  expect(lines[0]).not.toContain('hunter2');
});

test('unstructured lines say the same to a person', () => {
  const lines: string[] = [];
  const logger = createLogger({
    level: 'info',
    structured: false,
    write: (line) => lines.push(line),
    redact: (line) => line,
  });
  logger.with({ component: 'sessions', correlationId: 'c1' }).warn('It broke', { sessionId: 's' });
  logger.info('Ready');
  expect(lines[0]).toMatch(/^\S+Z WARN sessions: It broke \{"sessionId":"s"\} \(c1\)\n$/);
  expect(lines[1]).toMatch(/^\S+Z INFO runtime: Ready\n$/);
});
