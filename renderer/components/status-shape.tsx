import type { ReactElement } from 'react';
import type { StatusShapeName } from './status-vocabulary.ts';

/** What is cut out of a filled shape: the ground shows through. */
const cut = {
  fill: 'none',
  stroke: 'var(--status-ground, var(--mantine-color-body))',
  strokeWidth: 1.8,
  strokeLinecap: 'round',
  strokeLinejoin: 'round',
} as const;

const line = {
  fill: 'none',
  stroke: 'currentColor',
  strokeLinecap: 'round',
  strokeLinejoin: 'round',
} as const;

const SHAPES: Readonly<Record<StatusShapeName, ReactElement>> = {
  'circle-check': (
    <>
      <circle cx="8" cy="8" r="7" fill="currentColor" />
      <path d="M4.9 8.3 7 10.4l4.2-4.6" {...cut} />
    </>
  ),
  dot: <circle cx="8" cy="8" r="4" fill="currentColor" />,
  ring: <circle cx="8" cy="8" r="5.5" {...line} strokeWidth="3" />,
  'diamond-exclamation': (
    <>
      <path d="M8 .4 15.6 8 8 15.6.4 8Z" fill="currentColor" />
      <path d="M8 4.4v4.2M8 11.3v.1" {...cut} />
    </>
  ),
  triangle: <path d="M8 1.2 15.6 14.6H.4Z" fill="currentColor" />,
  'hexagon-clock': (
    <>
      <path d="M8 .4 14.6 4.2v7.6L8 15.6 1.4 11.8V4.2Z" fill="currentColor" />
      <path d="M8 4.4V8.2l2.4 1.6" {...cut} />
    </>
  ),
  'circular-arrow': (
    <>
      <path d="M13.5 8A5.5 5.5 0 1 1 11.6 3.9" {...line} strokeWidth="2.2" />
      <path d="M12.4.9v3.6H8.8" {...line} strokeWidth="2" />
    </>
  ),
  'square-pause': (
    <>
      <rect x="1" y="1" width="14" height="14" rx="1.5" fill="currentColor" />
      <path d="M6 5v6M10 5v6" {...cut} />
    </>
  ),
  'octagon-cross': (
    <>
      <path d="M5 .8h6L15.2 5v6L11 15.2H5L.8 11V5Z" fill="currentColor" />
      <path d="m5.6 5.6 4.8 4.8M10.4 5.6l-4.8 4.8" {...cut} />
    </>
  ),
  'half-circle': (
    <>
      <circle cx="8" cy="8" r="6" {...line} strokeWidth="2" />
      <path d="M8 2a6 6 0 0 0 0 12Z" fill="currentColor" />
    </>
  ),
  'hollow-circle': <circle cx="8" cy="8" r="6" {...line} strokeWidth="2" />,
  'dashed-circle': <circle cx="8" cy="8" r="6" {...line} strokeWidth="2" strokeDasharray="2.6 3.68" />,
};

/** The shape of a status alone, as high as `size` pixels. Its colour is that of the text around it; a text must stand beside it. */
export function StatusShape({ shape, size = 14 }: { shape: StatusShapeName; size?: number }) {
  return (
    <svg
      viewBox="0 0 16 16"
      width={size}
      height={size}
      aria-hidden="true"
      focusable="false"
      style={{ flex: 'none', display: 'block' }}
    >
      {SHAPES[shape]}
    </svg>
  );
}
