import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { promptAsCurl } from './prompt-command.ts';

test('a shell hands exactly the message to curl', () => {
  const message = 'it\'s "quoted" $HOME `id` \\n\nand a new line 🚀';
  const command = promptAsCurl('http://127.0.0.1:3000', 's1', message);
  // A function named curl prints its arguments, each ended by a NUL, instead of sending anything.
  const script = `curl() { printf '%s\\0' "$@"; }\n${command}`;
  const output = execFileSync('sh', ['-c', script], {
    env: { API_TOKEN: 'from the environment' },
  }).toString();
  const args = output.split('\0');
  expect(args).toContain('http://127.0.0.1:3000/api/sessions/s1/prompt');
  expect(args).toContain('Authorization: Bearer from the environment');
  expect(JSON.parse(args[args.indexOf('--data-raw') + 1] ?? '')).toEqual({ message });
});
