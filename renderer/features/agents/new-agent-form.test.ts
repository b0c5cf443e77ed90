import { describe, expect, it } from 'vitest';
import { ApiError } from '../../lib/api-error.ts';
import { EMPTY_FIELDS, errorsOfAnswer, parseEnvironment, requestOfFields } from './new-agent-form.ts';

describe('requestOfFields', () => {
  it('makes a command of what was entered, one argument a line', () => {
    expect(
      requestOfFields({
        ...EMPTY_FIELDS,
        name: ' Coder ',
        command: ' my-agent ',
        args: '--mode\n\n a b \n',
        env: 'A=1\nB=x=y',
      }),
    ).toEqual({
      request: {
        name: 'Coder',
        autostart: true,
        launch: { kind: 'command', command: 'my-agent', args: ['--mode', 'a b'], env: { A: '1', B: 'x=y' } },
      },
    });
  });

  it('makes a built-in chat with a model', () => {
    expect(
      requestOfFields({ ...EMPTY_FIELDS, kind: 'chat', name: 'Chat', model: 'openai/x', command: 'no' }),
    ).toEqual({
      request: {
        name: 'Chat',
        autostart: true,
        launch: { kind: 'builtin', program: 'chat', args: [] },
        model: 'openai/x',
      },
    });
  });

  it('names every field that is wrong', () => {
    const result = requestOfFields({ ...EMPTY_FIELDS, name: ' ', env: 'no equals' });
    expect(result).toEqual({
      errors: {
        name: expect.any(String),
        command: expect.any(String),
        env: expect.stringContaining('no equals'),
      },
    });
  });
});

describe('parseEnvironment', () => {
  it('refuses names that no shell would take', () => {
    expect(parseEnvironment('1A=x')).toEqual({ error: expect.stringContaining('1A=x') });
    expect(parseEnvironment('=x')).toHaveProperty('error');
    expect(parseEnvironment('EMPTY=')).toEqual({ values: { EMPTY: '' } });
  });
});

describe('errorsOfAnswer', () => {
  const answer = (code: string, data?: Record<string, unknown>) =>
    new ApiError({ code, title: 'Title', detail: 'Detail', status: 422, ...(data && { data }) });

  it('shows an error at the field that it is about', () => {
    expect(errorsOfAnswer(answer('agent.name_taken'))).toEqual({ name: 'Detail' });
    expect(errorsOfAnswer(answer('agent.command_not_found'))).toEqual({ command: 'Detail' });
  });

  it('reads the paths of issues, dotted or in parts', () => {
    const issues = [
      { path: 'launch.cwd', message: 'too long' },
      { path: ['launch', 'env', 'X'], message: 'bad value' },
      { path: 'launch.env.Y', message: 'second is not shown' },
      { path: 'elsewhere', message: 'unknown' },
    ];
    expect(errorsOfAnswer(answer('request.invalid', { issues }))).toEqual({
      cwd: 'too long',
      env: 'bad value',
    });
  });

  it('shows the rest below the form', () => {
    expect(errorsOfAnswer(answer('storage.full'))).toEqual({ form: 'Detail' });
    expect(errorsOfAnswer(answer('request.invalid', { issues: 'odd' }))).toEqual({ form: 'Detail' });
    expect(errorsOfAnswer(new TypeError('broken'))).toEqual({ form: 'broken' });
  });
});
