import { createElement } from 'react';
import { renderToStaticMarkup } from 'react-dom/server';
import ReactMarkdown from 'react-markdown';
import remarkGfm from 'remark-gfm';
import { describe, expect, it } from 'vitest';
import { isCostlyMarkdown } from './markdown-cost.ts';

const render = (text: string) =>
  renderToStaticMarkup(createElement(ReactMarkdown, { remarkPlugins: [remarkGfm] }, text));

describe('isCostlyMarkdown', () => {
  it('is true for quotes within quotes that exhaust the stack', () => {
    const text = '>'.repeat(5000);
    expect(() => render(text)).toThrow(RangeError);
    expect(isCostlyMarkdown(text)).toBe(true);
  });

  it.each([
    ['links that never end', '[a]('.repeat(16_000)],
    ['the same over many lines', '[a]([a]([a](\n'.repeat(4000)],
    ['emphasis that never ends', 'a**b_'.repeat(13_000)],
    ['lists within lists', '- '.repeat(1000)],
    ['many short quotes', '>>>>>>>>>>a\n\n'.repeat(5000)],
    ['what comes after a block of code', `~~~\ncode\n~~~\n${'[a]('.repeat(16_000)}`],
  ])('is true for %s', (_, text) => {
    expect(isCostlyMarkdown(text)).toBe(true);
  });

  it.each([
    [
      'an ordinary long answer',
      '## A title\n\nSome **bold** text with `code` and a [link](https://a.b).\n\n'.repeat(400),
    ],
    ['a large table', `|a|b|c|\n|-|-|-|\n${'|1|2|3|\n'.repeat(300)}`],
    ['a large block of code', `\`\`\`c\n${'if (a[i] * b[i] > c[i]) d[i] |= _e;\n'.repeat(1000)}\`\`\``],
    ['a line of dashes', '-'.repeat(5000)],
    ['a reply in a reply', '> > > It was said.\n\n1. - * > a'],
  ])('is false for %s', (_, text) => {
    expect(isCostlyMarkdown(text)).toBe(false);
  });
});
