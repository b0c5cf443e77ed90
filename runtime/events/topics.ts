import { fault, topicPattern } from '../contract/index.ts';

/** Says whether a topic matches. */
export type TopicMatcher = (topic: string) => boolean;

function compilePattern(pattern: string): TopicMatcher {
  if (!topicPattern.safeParse(pattern).success) {
    throw fault(
      'event.invalid_topic',
      `"${pattern.slice(0, 200)}" is not a topic pattern: write dotted words, "*" for one of them, ">" at the end for the rest.`,
      { pattern: pattern.slice(0, 200) },
    );
  }
  if (pattern === '>') return () => true;
  const wanted = pattern.split('.');
  const open = wanted.at(-1) === '>';
  if (open) wanted.pop();
  if (!open && !wanted.includes('*')) return (topic) => topic === pattern;
  return (topic) => {
    const tokens = topic.split('.');
    if (open ? tokens.length <= wanted.length : tokens.length !== wanted.length) return false;
    return wanted.every((token, index) => token === '*' || token === tokens[index]);
  };
}

/**
 * Compiles patterns as in NATS: `*` stands for exactly one token, a last `>` for one or more. A topic matches when one of
 * the patterns does. Throws `event.invalid_topic`. Answers are remembered, since there are few topics and many events.
 */
export function compileTopics(patterns: readonly string[]): TopicMatcher {
  const matchers = patterns.map(compilePattern);
  const known = new Map<string, boolean>();
  return (topic) => {
    let answer = known.get(topic);
    if (answer === undefined) {
      answer = matchers.some((matches) => matches(topic));
      if (known.size < 1000) known.set(topic, answer);
    }
    return answer;
  };
}
