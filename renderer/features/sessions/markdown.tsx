import { Anchor, Typography } from '@mantine/core';
import { memo, type ReactNode } from 'react';
import ReactMarkdown, { type Components } from 'react-markdown';
import remarkGfm from 'remark-gfm';
import { CopyText } from '../../components/copy-text.tsx';
import { LongText } from '../../components/long-text.tsx';
import classes from './markdown.module.css';
import { isCostlyMarkdown } from './markdown-cost.ts';

const plugins = [remarkGfm];

/**
 * Text of an agent as Markdown. What an agent writes is not trusted: HTML in it stays text, addresses other than http(s)
 * and mailto are dropped by the library, and a picture is shown as a link, because loading it would tell its server
 * that it was read.
 */
const components: Components = {
  a: ({ children, href }) => (
    <Anchor href={href} target="_blank" rel="noreferrer noopener" underline="always" inherit>
      {children}
    </Anchor>
  ),
  img: ({ alt, src }) => (
    <Anchor
      href={typeof src === 'string' ? src : undefined}
      target="_blank"
      rel="noreferrer noopener"
      underline="always"
      inherit
    >
      {alt === undefined || alt === '' ? 'Picture' : alt}
    </Anchor>
  ),
  // A focusable box, so that a long line can be scrolled with the keyboard.
  pre: ({ children }) => (
    <div className={classes.block}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard */}
      <pre tabIndex={0}>{children}</pre>
      <CopyText className={classes.copy} label="Copy code" text={() => textOf(children)} />
    </div>
  ),
  table: ({ children }) => (
    <div className={classes.table}>
      <table>{children}</table>
    </div>
  ),
};

export const Markdown = memo(function Markdown({ text }: { text: string }) {
  if (isCostlyMarkdown(text)) return <LongText text={text} />;
  return (
    <Typography className={classes.markdown}>
      <ReactMarkdown remarkPlugins={plugins} components={components}>
        {text}
      </ReactMarkdown>
    </Typography>
  );
});

function textOf(node: ReactNode): string {
  if (typeof node === 'string' || typeof node === 'number') return String(node);
  if (Array.isArray(node)) return node.map(textOf).join('');
  if (node !== null && typeof node === 'object' && 'props' in node)
    return textOf((node.props as { children?: ReactNode }).children);
  return '';
}
