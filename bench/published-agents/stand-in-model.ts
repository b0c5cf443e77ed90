/**
 * Stands in for the model providers, so that agents can be driven through whole turns without an account. It speaks what
 * they speak (OpenAI Chat Completions and Responses, Anthropic Messages, Gemini), knows what stands in the request and
 * nothing else, and wants a tool to be used when it is told so.
 */
import type { ServerResponse } from 'node:http';
import {
  type ProviderCall,
  type ProviderServer,
  startProviderServer,
} from '../../runtime/agents/fixtures/provider-server.ts';

/** In a prompt: asks the model to run the shell command that follows, up to the end of the line. */
export const RUN = 'Please run this command:';
/** In a prompt: asks which word was said before, as `The word is …`. */
export const RECALL = 'Which word was that?';
export const wordToKeep = (word: string) => `Keep this in mind: the word is <<${word}>>.`;
/** What it says when a tool has been used. */
export const TOOL_USED = 'The command has been run.';

interface Tool {
  name: string;
  /** JSON Schema of its input. */
  schema: { properties?: Record<string, { type?: unknown }>; required?: string[] };
}

/** A request of any of the protocols, as far as it matters here. */
interface Asked {
  /** The whole conversation as it was sent. */
  conversation: string;
  lastUserText: string;
  tools: Tool[];
  /** The last thing in the conversation is what a tool has answered. */
  isToolAnswer: boolean;
}

type Reply = { kind: 'text'; text: string } | { kind: 'tool'; name: string; input: Record<string, unknown> };

export function startStandInModel(): Promise<ProviderServer> {
  return startProviderServer().then((server) => {
    server.answerWith(answer);
    return server;
  });
}

function decide({ conversation, lastUserText, tools, isToolAnswer }: Asked): Reply {
  if (isToolAnswer) return { kind: 'text', text: TOOL_USED };
  // First, because an agent that was primed is told the earlier prompts in the same text.
  if (lastUserText.includes(RECALL)) {
    const word = [...conversation.matchAll(/the word is <<([^>]+)>>/g)].at(-1)?.[1];
    return { kind: 'text', text: word === undefined ? 'I was told no word.' : `The word is ${word}.` };
  }
  const command = new RegExp(`${RUN} (.+)`).exec(lastUserText)?.[1];
  const shell = tools.find(({ name }) =>
    /^(?:bash|shell|run_shell_command|shell_command|exec_command)$/i.test(name),
  );
  if (command !== undefined && shell !== undefined) {
    return { kind: 'tool', name: shell.name, input: shellInput(shell, command) };
  }
  return { kind: 'text', text: 'I am only standing in for a model.' };
}

/** Whatever the tool calls its parameters, it needs a command, and mostly a description. */
function shellInput({ schema }: Tool, command: string): Record<string, unknown> {
  const { properties = {}, required = [] } = schema;
  const names = Object.keys(properties);
  const name = names.find((candidate) => /^(?:command|cmd)$/.test(candidate)) ?? 'command';
  const input: Record<string, unknown> = {
    [name]: properties[name]?.type === 'array' ? ['/bin/sh', '-c', command] : command,
  };
  for (const other of required) {
    if (other === name) continue;
    const type = String(properties[other]?.type);
    input[other] = type === 'boolean' ? false : /number|integer/.test(type) ? 10_000 : 'Run a command';
  }
  return input;
}

// biome-ignore lint/suspicious/noExplicitAny: the bodies of four protocols, each read in one place and nowhere else
type Body = any;

/** One object, or events that are streamed, and how the stream ends. */
type Answer = { object: unknown } | { events: readonly Body[]; end?: string };

function answer(call: ProviderCall, response: ServerResponse): void {
  const answered = answerOf(call);
  if (answered === undefined) {
    response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":{"message":"not found"}}');
  } else if ('object' in answered) {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answered.object));
  } else {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    for (const event of answered.events) {
      const name = typeof event.type === 'string' ? `event: ${event.type}\n` : '';
      response.write(`${name}data: ${JSON.stringify(event)}\n\n`);
    }
    response.end(answered.end);
  }
}

/** Undefined for what no protocol has. */
function answerOf({ method, path, body }: ProviderCall): Answer | undefined {
  if (method === 'GET') return { object: { object: 'list', data: [{ id: 'stand-in', object: 'model' }] } };
  if (/count_?tokens/i.test(path)) return { object: { input_tokens: 10, totalTokens: 10 } };
  if (path.includes('/chat/completions')) return chatCompletions(body);
  if (path.includes('/responses')) return responses(body);
  if (path.includes('/messages')) return messages(body);
  if (/:(?:streamG|g)enerateContent/.test(path)) return generateContent(body, path.includes(':streamG'));
  return undefined;
}

const wordsOf = (text: string) => text.match(/\S+\s*/g) ?? [];

/** The text of a content that is a text or a list of parts. */
function textOf(content: Body): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map((part: Body) => part?.text ?? '').join('\n');
}

function chatCompletions(body: Body): Answer {
  const last = body.messages.at(-1);
  const reply = decide({
    conversation: JSON.stringify(body.messages),
    lastUserText: textOf(body.messages.findLast((message: Body) => message.role === 'user')?.content),
    tools: (body.tools ?? []).map(({ function: tool }: Body) => ({
      name: tool.name,
      schema: tool.parameters ?? {},
    })),
    isToolAnswer: last?.role === 'tool',
  });
  const calls =
    reply.kind === 'tool'
      ? [
          {
            index: 0,
            id: `call_${Date.now()}`,
            type: 'function',
            function: { name: reply.name, arguments: JSON.stringify(reply.input) },
          },
        ]
      : undefined;
  const finish_reason = calls === undefined ? 'stop' : 'tool_calls';
  const usage = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 };
  const head = { id: 'chatcmpl-1', created: 1_790_000_000, model: body.model };
  if (body.stream !== true) {
    const content = reply.kind === 'text' ? reply.text : null;
    const message = { role: 'assistant', content, ...(calls === undefined ? {} : { tool_calls: calls }) };
    return {
      object: { ...head, object: 'chat.completion', choices: [{ index: 0, message, finish_reason }], usage },
    };
  }
  const chunk = (delta: object, reason: string | null = null) => ({
    ...head,
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta, finish_reason: reason }],
  });
  return {
    events: [
      chunk({ role: 'assistant', content: '' }),
      ...(reply.kind === 'text' ? wordsOf(reply.text).map((content) => chunk({ content })) : []),
      ...(calls === undefined ? [] : [chunk({ tool_calls: calls })]),
      chunk({}, finish_reason),
      { ...head, object: 'chat.completion.chunk', choices: [], usage },
    ],
    end: 'data: [DONE]\n\n',
  };
}

function messages(body: Body): Answer {
  const last = body.messages.at(-1);
  const parts = Array.isArray(last?.content) ? last.content : [];
  const reply = decide({
    conversation: JSON.stringify(body.messages),
    lastUserText: textOf(last?.content),
    tools: (body.tools ?? []).map((tool: Body) => ({ name: tool.name, schema: tool.input_schema ?? {} })),
    isToolAnswer: parts.some((part: Body) => part?.type === 'tool_result'),
  });
  const id = `msg_${Date.now()}`;
  const stop_reason = reply.kind === 'text' ? 'end_turn' : 'tool_use';
  const block =
    reply.kind === 'text'
      ? { type: 'text', text: reply.text }
      : { type: 'tool_use', id: `toolu_${Date.now()}`, name: reply.name, input: reply.input };
  const message = { id, type: 'message', role: 'assistant', model: body.model, stop_sequence: null };
  if (body.stream !== true) {
    const usage = { input_tokens: 21, output_tokens: 9 };
    return { object: { ...message, content: [block], stop_reason, usage } };
  }
  const deltas =
    reply.kind === 'text'
      ? wordsOf(reply.text).map((text) => ({ type: 'text_delta', text }))
      : [{ type: 'input_json_delta', partial_json: JSON.stringify(reply.input) }];
  const empty = reply.kind === 'text' ? { ...block, text: '' } : { ...block, input: {} };
  return {
    events: [
      {
        type: 'message_start',
        message: {
          ...message,
          content: [],
          stop_reason: null,
          usage: { input_tokens: 21, output_tokens: 1 },
        },
      },
      { type: 'content_block_start', index: 0, content_block: empty },
      ...deltas.map((delta) => ({ type: 'content_block_delta', index: 0, delta })),
      { type: 'content_block_stop', index: 0 },
      { type: 'message_delta', delta: { stop_reason, stop_sequence: null }, usage: { output_tokens: 9 } },
      { type: 'message_stop' },
    ],
  };
}

/** Something that fits a JSON Schema: Gemini CLI asks a small model which model to ask, and does not take words for an answer. */
function fitting(schema: Body): unknown {
  if (Array.isArray(schema?.enum)) return schema.enum[0];
  const type = String(schema?.type).toLowerCase();
  if (type === 'object') {
    const properties = Object.entries(schema.properties ?? {});
    return Object.fromEntries(properties.map(([name, property]) => [name, fitting(property)]));
  }
  if (type === 'array') return [];
  if (type === 'boolean') return false;
  return /number|integer/.test(type) ? 1 : 'stand-in';
}

function generateContent(body: Body, isStreamed: boolean): Answer {
  const parts = body.contents.at(-1)?.parts ?? [];
  const declared = (body.tools ?? []).flatMap((tool: Body) => tool.functionDeclarations ?? []);
  const reply = decide({
    conversation: JSON.stringify(body.contents),
    lastUserText: textOf(parts),
    tools: declared.map((tool: Body) => ({
      name: tool.name,
      schema: tool.parametersJsonSchema ?? tool.parameters ?? {},
    })),
    isToolAnswer: parts.some((part: Body) => part.functionResponse !== undefined),
  });
  const candidate = (part: object, finishReason?: string) => ({
    candidates: [
      { index: 0, content: { role: 'model', parts: [part] }, ...(finishReason ? { finishReason } : {}) },
    ],
    usageMetadata: { promptTokenCount: 31, candidatesTokenCount: 8, totalTokenCount: 39 },
    modelVersion: 'stand-in',
  });
  const { responseMimeType, responseJsonSchema, responseSchema } = body.generationConfig ?? {};
  if (responseMimeType === 'application/json') {
    const object = fitting(responseJsonSchema ?? responseSchema);
    return { object: candidate({ text: JSON.stringify(object) }, 'STOP') };
  }
  if (reply.kind === 'tool') {
    const called = candidate({ functionCall: { name: reply.name, args: reply.input } }, 'STOP');
    return isStreamed ? { events: [called] } : { object: called };
  }
  if (!isStreamed) return { object: candidate({ text: reply.text }, 'STOP') };
  const words = wordsOf(reply.text);
  return { events: words.map((text, i) => candidate({ text }, i === words.length - 1 ? 'STOP' : undefined)) };
}

function responses(body: Body): Answer {
  const items: Body[] = Array.isArray(body.input) ? body.input : [{ role: 'user', content: body.input }];
  const reply = decide({
    conversation: JSON.stringify(items),
    lastUserText: textOf(items.findLast((item) => item.role === 'user')?.content),
    tools: (body.tools ?? []).flatMap((tool: Body) =>
      tool.type === 'function' ? [{ name: tool.name, schema: tool.parameters ?? {} }] : [],
    ),
    isToolAnswer: items.at(-1)?.type === 'function_call_output',
  });
  const id = `resp_${Date.now()}`;
  const item =
    reply.kind === 'text'
      ? {
          type: 'message',
          id: `item_${Date.now()}`,
          role: 'assistant',
          status: 'completed',
          content: [{ type: 'output_text', text: reply.text, annotations: [] }],
        }
      : {
          type: 'function_call',
          id: `item_${Date.now()}`,
          call_id: `call_${Date.now()}`,
          name: reply.name,
          arguments: JSON.stringify(reply.input),
          status: 'completed',
        };
  const usage = {
    input_tokens: 11,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: 7,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: 18,
  };
  const done = { id, object: 'response', status: 'completed', model: body.model, output: [item], usage };
  if (body.stream !== true) return { object: done };
  const begun =
    reply.kind === 'text' ? { ...item, status: 'in_progress', content: [] } : { ...item, arguments: '' };
  const deltas = reply.kind === 'text' ? wordsOf(reply.text) : [];
  return {
    events: [
      { type: 'response.created', response: { ...done, status: 'in_progress', output: [], usage: null } },
      { type: 'response.output_item.added', output_index: 0, item: begun },
      ...deltas.map((delta) => ({
        type: 'response.output_text.delta',
        item_id: item.id,
        output_index: 0,
        content_index: 0,
        delta,
      })),
      { type: 'response.output_item.done', output_index: 0, item },
      { type: 'response.completed', response: done },
    ],
  };
}
