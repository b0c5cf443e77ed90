import { delimiter } from 'node:path';
import { expect, it } from 'vitest';
import { inheritedEnvironment } from './inherited-environment.ts';

const path = (...folders: string[]) => folders.join(delimiter);

it('has nothing of our own secrets, and the keys of model providers', () => {
  expect(
    inheritedEnvironment({
      HOME: '/home/someone',
      UNSET: undefined,
      API_TOKEN: 'ours',
      POSTGRES_URL: 'ours',
      POSTGRES_READ_URL: 'ours',
      SMTP_USER: 'ours',
      SMTP_PASS: 'ours',
      OPENAI_API_KEY: 'theirs',
    }),
  ).toEqual({ HOME: '/home/someone', OPENAI_API_KEY: 'theirs' });
});

it('has nothing of our own package when npm has started us', () => {
  expect(
    inheritedEnvironment({
      PATH: path('/app/node_modules/.bin', '/node_modules/.bin', '/npm/node-gyp-bin', '/usr/bin'),
      INIT_CWD: '/app',
      npm_lifecycle_event: 'serve',
      npm_package_name: 'smalltalk-console',
      npm_execpath: '/npm/npm-cli.js',
      npm_config_local_prefix: '/app',
      npm_config_registry: 'https://npm.example.com',
    }),
  ).toEqual({ PATH: '/usr/bin', npm_config_registry: 'https://npm.example.com' });
});

it('leaves the PATH alone when it is the user who put such a folder there', () => {
  const environment = { PATH: path('/home/someone/node_modules/.bin', '/usr/bin'), INIT_CWD: '/src' };
  expect(inheritedEnvironment(environment)).toEqual(environment);
});
