import type { Usage } from '../../contract/index.ts';

/**
 * What models cost at their makers, in US dollars for a million tokens of the prompt and of the answer, at the standard
 * rate. Dated data: as gathered by https://github.com/pydantic/genai-prices (commit 47df840a) from the makers' own
 * pages, https://openai.com/api/pricing, https://www.anthropic.com/pricing#api and
 * https://ai.google.dev/gemini-api/docs/pricing, and compared with https://github.com/simonw/llm-prices (723ef0b).
 * Dearer rates of very long prompts and cheaper ones of cached prompts are left out, so what is made of this is an
 * estimate, and marked as one. A model that is not here has no price: none is guessed from its name.
 */
export const PRICE_TABLE = {
  asOf: '2026-08-21',
  source: 'https://github.com/pydantic/genai-prices/tree/47df840a',
} as const;

export interface Price {
  input: number;
  output: number;
}

/** A price, and the time from which another one holds. */
interface DatedPrice extends Price {
  /** YYYY-MM-DD, in UTC. */
  until?: string;
}

const STEPS: Readonly<Record<string, readonly DatedPrice[]>> = {
  'gpt-4o': [{ input: 2.5, output: 10 }],
  'gpt-4o-mini': [{ input: 0.15, output: 0.6 }],
  'gpt-4.1': [{ input: 2, output: 8 }],
  'gpt-4.1-mini': [{ input: 0.4, output: 1.6 }],
  'gpt-4.1-nano': [{ input: 0.1, output: 0.4 }],
  'o4-mini': [{ input: 1.1, output: 4.4 }],
  'gpt-5': [{ input: 1.25, output: 10 }],
  'gpt-5-mini': [{ input: 0.25, output: 2 }],
  'gpt-5-nano': [{ input: 0.05, output: 0.4 }],
  'gpt-5-pro': [{ input: 15, output: 120 }],
  'gpt-5.1': [{ input: 1.25, output: 10 }],
  'gpt-5.1-codex': [{ input: 1.25, output: 10 }],
  'gpt-5.1-codex-mini': [{ input: 0.25, output: 2 }],
  'gpt-5.2': [{ input: 1.75, output: 14 }],
  'gpt-5.2-pro': [{ input: 21, output: 168 }],
  'gpt-5.4': [{ input: 2.5, output: 15 }],
  'gpt-5.4-mini': [{ input: 0.75, output: 4.5 }],
  'gpt-5.4-nano': [{ input: 0.2, output: 1.25 }],
  'gpt-5.4-pro': [{ input: 30, output: 180 }],
  'gpt-5.5': [{ input: 5, output: 30 }],
  'gpt-5.5-pro': [{ input: 30, output: 180 }],
  'gpt-5.6-sol': [{ input: 5, output: 30 }],
  'gpt-5.6-terra': [
    { input: 2.5, output: 15, until: '2026-07-30' },
    { input: 2, output: 12 },
  ],
  'gpt-5.6-luna': [
    { input: 1, output: 6, until: '2026-07-30' },
    { input: 0.2, output: 1.2 },
  ],
  'claude-haiku-4-5': [{ input: 1, output: 5 }],
  'claude-sonnet-4-0': [{ input: 3, output: 15 }],
  'claude-sonnet-4': [{ input: 3, output: 15 }],
  'claude-sonnet-4-5': [{ input: 3, output: 15 }],
  'claude-sonnet-4-6': [{ input: 3, output: 15 }],
  'claude-sonnet-5': [
    { input: 2, output: 10, until: '2026-09-01' },
    { input: 3, output: 15 },
  ],
  'claude-opus-4-0': [{ input: 15, output: 75 }],
  'claude-opus-4': [{ input: 15, output: 75 }],
  'claude-opus-4-1': [{ input: 15, output: 75 }],
  'claude-opus-4-5': [{ input: 5, output: 25 }],
  'claude-opus-4-6': [{ input: 5, output: 25 }],
  'claude-opus-4-7': [{ input: 5, output: 25 }],
  'claude-opus-4-8': [{ input: 5, output: 25 }],
  'claude-opus-5': [{ input: 5, output: 25 }],
  'claude-fable-5': [{ input: 10, output: 50 }],
  'gemini-2.5-flash-lite': [{ input: 0.1, output: 0.4 }],
  'gemini-2.5-flash': [{ input: 0.3, output: 2.5 }],
  'gemini-2.5-pro': [{ input: 1.25, output: 10 }],
  'gemini-3-flash-preview': [{ input: 0.5, output: 3 }],
  'gemini-3-pro-preview': [{ input: 2, output: 12 }],
  'gemini-3.1-flash-lite': [{ input: 0.25, output: 1.5 }],
  'gemini-3.1-pro-preview': [{ input: 2, output: 12 }],
  'gemini-3.5-flash': [{ input: 1.5, output: 9 }],
  'gemini-3.5-flash-lite': [{ input: 0.3, output: 2.5 }],
  'gemini-3.6-flash': [
    { input: 0.75, output: 3.75, until: '2027-01-01' },
    { input: 1.5, output: 7.5 },
  ],
  'gemini-3.7-flash': [
    { input: 0.75, output: 3.75, until: '2027-01-01' },
    { input: 1.5, output: 7.5 },
  ],
};

/** The date of a version at the end of a model's name. */
const VERSION_DATE = /-(\d{8}|\d{4}-\d{2}-\d{2})$/;

/** What a model costs at a time; `provider/` before its name and the date of its version after it do not matter. */
export function priceOf(model: string, time: number): Price | undefined {
  const name = model.slice(model.lastIndexOf('/') + 1);
  const key = [name, name.replace(VERSION_DATE, '')].find((candidate) => Object.hasOwn(STEPS, candidate));
  if (key === undefined) return undefined;
  return STEPS[key]?.find(({ until }) => until === undefined || time < Date.parse(until));
}

/** In US dollars. */
export function costOf(price: Price, usage: Pick<Usage, 'inputTokens' | 'outputTokens'>): number {
  return (usage.inputTokens * price.input + usage.outputTokens * price.output) / 1_000_000;
}
