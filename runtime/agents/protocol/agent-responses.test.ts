import { describe, expect, it } from 'vitest';
import { capabilitiesOf, initializeResponse, promptResponse, usageSoFar } from './agent-responses.ts';

describe('the answer to initialize', () => {
  it('tells what the agent can', () => {
    const told = initializeResponse.parse({
      protocolVersion: 1,
      agentCapabilities: {
        loadSession: true,
        promptCapabilities: { image: true, embeddedContext: true },
        mcpCapabilities: { sse: true },
        sessionCapabilities: { resume: {}, close: null },
      },
    });
    expect(capabilitiesOf(told)).toEqual({
      loadSession: true,
      resumeSession: true,
      closeSession: false,
      image: true,
      audio: false,
      embeddedContext: true,
      mcpHttp: false,
      mcpSse: true,
    });
  });

  it.each([
    {},
    { agentCapabilities: null, authMethods: null, agentInfo: null },
    { agentCapabilities: 'all', authMethods: 'some', agentInfo: { name: 1 } },
    { agentCapabilities: { loadSession: 'yes', promptCapabilities: 1, sessionCapabilities: { resume: 2 } } },
  ])('costs no agent an odd field: %j', (odd) => {
    const told = initializeResponse.parse({ protocolVersion: 1, ...odd });
    expect(Object.values(capabilitiesOf(told))).toEqual(Array(8).fill(false));
  });
});

describe('the usage of a turn', () => {
  const usage = (told: unknown) => promptResponse.parse({ stopReason: 'end_turn', usage: told }).usage;

  it('counts what is cached or thought when that comes on top', () => {
    const told = { inputTokens: 10, outputTokens: 5, thoughtTokens: 3, cachedReadTokens: 100 };
    expect(usage({ ...told, totalTokens: 118 })).toEqual({ inputTokens: 110, outputTokens: 8 });
    expect(usage({ ...told, totalTokens: 15 })).toEqual({ inputTokens: 10, outputTokens: 5 });
    expect(usage({ inputTokens: 10, outputTokens: 5 })).toEqual({ inputTokens: 10, outputTokens: 5 });
  });

  it('is read as Gemini CLI tells it', () => {
    const quota = { token_count: { input_tokens: 10, output_tokens: 5 }, model_usage: [] };
    const told = (_meta: unknown) => promptResponse.parse({ stopReason: 'end_turn', _meta }).usage;
    expect(told({ quota })).toEqual({ inputTokens: 10, outputTokens: 5 });
    expect(told({ quota: { token_count: {} } })).toBeUndefined();
  });

  it('is absent when it is nonsense', () => {
    expect(usage({ inputTokens: 1e300, outputTokens: 5 })).toBeUndefined();
    expect(usage({ inputTokens: -1, outputTokens: 5 })).toBeUndefined();
    expect(usage('much')).toBeUndefined();
  });

  it('may be told by an update before the end', () => {
    const update = { sessionUpdate: 'usage_update', used: 1, size: 2 };
    expect(usageSoFar.parse(update)).toBeUndefined();
    expect(
      usageSoFar.parse({ ...update, _meta: { 'smalltalk/usage': { inputTokens: 1, outputTokens: 2 } } }),
    ).toEqual({ inputTokens: 1, outputTokens: 2 });
  });
});
