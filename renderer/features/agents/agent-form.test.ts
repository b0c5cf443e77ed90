import { describe, expect, it } from 'vitest';
import type { Agent } from '#contract';
import { ApiError } from '../../lib/api-error.ts';
import {
  type AgentDraft,
  changesOf,
  differ,
  draftOfFields,
  EMPTY_FIELDS,
  emptyServer,
  fieldsOfAgent,
  testOfFields,
} from './agent-form.ts';
import { errorAt, errorsOfAnswer, withoutErrorsAt } from './field-errors.ts';
import { emptyRow } from './variable-rows.ts';

const CODER: AgentDraft = {
  name: 'Coder',
  description: 'Writes',
  launch: {
    kind: 'command',
    command: '/opt/my agent',
    args: ['--mode', 'a b', ''],
    cwd: '/work',
    env: { TOKEN: { secret: 'CODER_TOKEN' }, LEVEL: 'x=y' },
  },
  mcpServers: [
    { type: 'stdio', name: 'files', command: 'mcp-files', args: ['.'], env: {} },
    { type: 'http', name: 'web', url: 'https://example.com/mcp', headers: { 'X-Key': { secret: 'WEB' } } },
  ],
  limits: { turn: { tokens: 5000 }, day: { money: 2.5, minutes: 30 } },
  autostart: false,
};

const row = (name: string, value = 'x', kind: 'value' | 'secret' = 'value') => ({
  ...emptyRow(),
  name,
  value,
  kind,
});

describe('draftOfFields', () => {
  it('gives back what the fields were filled with', () => {
    expect(draftOfFields(fieldsOfAgent(CODER))).toEqual({ draft: CODER });
    const chat: AgentDraft = {
      ...CODER,
      launch: { kind: 'builtin', program: 'chat', args: [] },
      model: 'openai/x',
      mcpServers: [],
      limits: {},
    };
    expect(draftOfFields(fieldsOfAgent(chat))).toEqual({ draft: chat });
  });

  it('splits the line, trims, and leaves out what is empty', () => {
    const result = draftOfFields({
      ...EMPTY_FIELDS,
      name: ' Coder ',
      command: ` npx -y 'a b' `,
      env: [row('A', ''), emptyRow()],
    });
    expect(result).toEqual({
      draft: {
        name: 'Coder',
        description: '',
        launch: { kind: 'command', command: 'npx', args: ['-y', 'a b'], env: { A: '' } },
        mcpServers: [],
        limits: {},
        autostart: true,
      },
    });
  });

  it('names every field that is wrong, by the path that the runtime would give', () => {
    const result = draftOfFields({
      ...EMPTY_FIELDS,
      name: ' ',
      command: '',
      env: [row('1A'), row('TWICE'), row('TWICE'), row('S', '', 'secret'), row('', 'lost')],
      mcpServers: [
        { ...emptyServer(), name: 'x', command: 'say "half' },
        { ...emptyServer(), type: 'http', name: '', url: 'ftp://x' },
      ],
      limits: { ...EMPTY_FIELDS.limits, day: { tokens: 0, money: '', minutes: 5 } },
    });
    expect(result).toEqual({
      errors: {
        name: 'Give it a name.',
        'launch.command': 'Give the command that starts it.',
        'launch.env.1A': expect.stringContaining('no digit first'),
        'launch.env.TWICE': 'TWICE stands here twice.',
        'launch.env.S': 'Choose a secret.',
        'launch.env.': 'Give it a name.',
        'mcpServers.0.command': 'A " is not closed.',
        'mcpServers.1.name': 'Give it a name.',
        'mcpServers.1.url': expect.stringContaining('http://'),
        'limits.day.tokens': 'A number above 0.',
      },
    });
  });

  it('wants a model for the built-in chat, and nothing else of the fields of a command', () => {
    expect(draftOfFields({ ...EMPTY_FIELDS, kind: 'chat', name: 'Chat' })).toEqual({
      errors: { model: 'Give the model as provider/model.' },
    });
  });
});

describe('testOfFields', () => {
  it('needs only how it is launched', () => {
    expect(testOfFields({ ...fieldsOfAgent(CODER), name: '', mcpServers: [emptyServer()] })).toEqual({
      request: { launch: CODER.launch },
    });
    expect(testOfFields(EMPTY_FIELDS)).toEqual({ errors: { 'launch.command': expect.any(String) } });
  });
});

describe('what changed', () => {
  const agent = { ...CODER, id: 'a1', createdAt: 1, version: 3, state: 'healthy' } as Agent;

  it('is nothing while only the rows are drawn anew', () => {
    expect(differ(fieldsOfAgent(CODER), fieldsOfAgent(CODER))).toBe(false);
    expect(differ({ ...fieldsOfAgent(CODER), cwd: '/other' }, fieldsOfAgent(CODER))).toBe(true);
    expect(changesOf(agent, CODER)).toEqual({});
  });

  it('is sent by itself', () => {
    const limits = { turn: { tokens: 1 } };
    expect(changesOf(agent, { ...CODER, limits, name: 'Other' })).toEqual({ name: 'Other', limits });
  });
});

describe('errorsOfAnswer', () => {
  const answer = (code: string, data?: Record<string, unknown>) =>
    new ApiError({ code, title: 'Title', detail: 'Detail', status: 422, ...(data && { data }) });

  it('shows an error at the field that it is about', () => {
    expect(errorsOfAnswer(answer('agent.name_taken'))).toEqual({ name: 'Detail' });
    expect(errorsOfAnswer(answer('agent.working_directory_missing'))).toEqual({ 'launch.cwd': 'Detail' });
  });

  it('reads the paths of issues, dotted or in parts; the first of a path counts', () => {
    const issues = [
      { path: 'launch.cwd', message: 'too long' },
      { path: ['launch', 'env', 'X'], message: 'bad value' },
      { path: 'launch.env.X', message: 'second is not shown' },
    ];
    expect(errorsOfAnswer(answer('request.invalid', { issues }))).toEqual({
      'launch.cwd': 'too long',
      'launch.env.X': 'bad value',
    });
  });

  it('shows the rest below the form', () => {
    expect(errorsOfAnswer(answer('storage.full'))).toEqual({ form: 'Detail' });
    expect(errorsOfAnswer(answer('request.invalid', { issues: 'odd' }))).toEqual({ form: 'Detail' });
    expect(errorsOfAnswer(new TypeError('broken'))).toEqual({ form: 'broken' });
  });
});

describe('faults of a form', () => {
  const errors = { name: 'a', 'launch.args.3': 'b', form: 'c' };

  it('are found at a path or below it', () => {
    expect(errorAt(errors, 'launch.command', 'launch.args')).toBe('b');
    expect(errorAt(errors, 'launch')).toBe('b');
    expect(errorAt(errors, 'launch.arg')).toBeUndefined();
  });

  it('go when what they are about is changed', () => {
    expect(withoutErrorsAt(errors, 'launch.args')).toEqual({ name: 'a' });
    const single = { name: 'a' };
    expect(withoutErrorsAt(single, 'model')).toBe(single);
  });
});
