import {
  ActionIcon,
  Alert,
  Button,
  Card,
  Code,
  type CSSVariablesResolver,
  createTheme,
  Drawer,
  InputWrapper,
  Kbd,
  type MantineColorsTuple,
  Menu,
  Modal,
  Notification,
  Popover,
  Select,
  Table,
  TextInput,
  Tooltip,
} from '@mantine/core';

/** The accent: a deep petrol. Used for what can be pressed and for where one is, never for a status. */
const petrol: MantineColorsTuple = [
  '#e9f6f8',
  '#d2eaee',
  '#a6d5dd',
  '#74becb',
  '#4aa9ba',
  '#2b94a6',
  '#1a8093',
  '#0f6c7a',
  '#0b5965',
  '#074750',
];

/** Grounds and texts of the dark theme, the lightest first: a neutral slate, a little towards blue. */
const dark: MantineColorsTuple = [
  '#d3d8dd',
  '#b4bbc3',
  '#99a2ac',
  '#6b7580',
  '#3b434c',
  '#2d343c',
  '#232930',
  '#181c21',
  '#121519',
  '#0c0e11',
];

/** Grounds and texts of the light theme, the lightest first. Index 6 has 4.5:1 on both of its grounds. */
const gray: MantineColorsTuple = [
  '#f7f8f9',
  '#eff1f3',
  '#e3e7ea',
  '#d4d9de',
  '#bcc3ca',
  '#8b949d',
  '#5b656f',
  '#47505a',
  '#2f363e',
  '#1b2026',
];

/** The look of the console: dense, calm, system fonts; the colours of a status are in `theme.css`. */
export const theme = createTheme({
  primaryColor: 'petrol',
  primaryShade: { light: 7, dark: 6 },
  colors: { petrol, dark, gray },
  black: '#1b2026',
  autoContrast: true,
  respectReducedMotion: true,
  cursorType: 'pointer',
  defaultRadius: 'sm',
  radius: { xs: '2px', sm: '4px', md: '6px', lg: '8px', xl: '12px' },
  fontFamily: 'system-ui, -apple-system, "Segoe UI", "Noto Sans", "Liberation Sans", Roboto, sans-serif',
  fontFamilyMonospace:
    'ui-monospace, "SF Mono", "Cascadia Mono", "Liberation Mono", Menlo, Consolas, monospace',
  fontSizes: { xs: '0.75rem', sm: '0.8125rem', md: '0.875rem', lg: '1rem', xl: '1.125rem' },
  spacing: { xs: '0.5rem', sm: '0.75rem', md: '1rem', lg: '1.25rem', xl: '1.75rem' },
  headings: {
    fontWeight: '600',
    sizes: {
      h1: { fontSize: '1.5rem', lineHeight: '1.3' },
      h2: { fontSize: '1.25rem', lineHeight: '1.35' },
      h3: { fontSize: '1.125rem', lineHeight: '1.4' },
      h4: { fontSize: '0.9375rem', lineHeight: '1.45' },
      h5: { fontSize: '0.875rem', lineHeight: '1.5' },
      h6: { fontSize: '0.8125rem', lineHeight: '1.5' },
    },
  },
  components: {
    ActionIcon: ActionIcon.extend({ defaultProps: { variant: 'subtle' } }),
    Alert: Alert.extend({
      defaultProps: { radius: 'md' },
      // The colour is in the ground and the icon; as text it would not have enough contrast.
      styles: { title: { color: 'var(--mantine-color-text)' } },
    }),
    Button: Button.extend({ defaultProps: { size: 'xs' } }),
    Card: Card.extend({
      defaultProps: { withBorder: true, padding: 'md', radius: 'md' },
      styles: { root: { backgroundColor: 'var(--panel)' } },
    }),
    Code: Code.extend({ styles: { root: { fontSize: '0.92em' } } }),
    Drawer: Drawer.extend({ defaultProps: { overlayProps: { backgroundOpacity: 0.35 } } }),
    Kbd: Kbd.extend({ defaultProps: { size: 'xs' } }),
    // Without the placeholder: it has no role, and a menu may only hold items.
    Menu: Menu.extend({ defaultProps: { shadow: 'md', withInitialFocusPlaceholder: false } }),
    // Mantine takes two pixels off the size of the field, which at this density cannot be read.
    InputWrapper: InputWrapper.extend({
      styles: {
        description: { fontSize: 'var(--mantine-font-size-xs)' },
        error: { fontSize: 'var(--mantine-font-size-xs)' },
      },
    }),
    Modal: Modal.extend({
      defaultProps: {
        // Held at its top edge, and without a movement: a centred dialog whose content grows moves its controls, and a control
        // that moves while the mouse is pressed on it is not clicked.
        yOffset: '8dvh',
        transitionProps: { transition: 'fade', duration: 150 },
        overlayProps: { backgroundOpacity: 0.35 },
        closeButtonProps: { 'aria-label': 'Close' },
      },
      styles: { title: { fontWeight: 600 } },
    }),
    Notification: Notification.extend({ defaultProps: { closeButtonProps: { 'aria-label': 'Dismiss' } } }),
    Popover: Popover.extend({ defaultProps: { shadow: 'md' } }),
    Select: Select.extend({ defaultProps: { size: 'xs' } }),
    Table: Table.extend({
      defaultProps: { verticalSpacing: 6, horizontalSpacing: 'sm' },
      styles: {
        th: {
          fontWeight: 500,
          fontSize: 'var(--mantine-font-size-xs)',
          color: 'var(--mantine-color-dimmed)',
        },
      },
    }),
    TextInput: TextInput.extend({ defaultProps: { size: 'xs' } }),
    Tooltip: Tooltip.extend({ defaultProps: { openDelay: 200, withArrow: false, fz: 'xs' } }),
  },
});

/** Colours of Mantine that a light ground is made of, and the tone (`theme.css`) that each stands for here. */
const TONES: Readonly<Record<string, string>> = {
  red: 'var(--tone-bad)',
  yellow: 'var(--tone-warning)',
  green: 'var(--tone-good)',
  blue: 'var(--tone-active)',
  violet: 'var(--tone-paused)',
  gray: 'var(--tone-neutral)',
  petrol: 'var(--mantine-color-anchor)',
};

/** Alerts and badges: a breath of their colour on the panel, the same in both themes, and a text that can be read on it. */
const lightGrounds = Object.fromEntries(
  Object.entries(TONES).flatMap(([color, tone]) => [
    [`--mantine-color-${color}-light`, `color-mix(in srgb, ${tone} 13%, var(--panel))`],
    [`--mantine-color-${color}-light-hover`, `color-mix(in srgb, ${tone} 22%, var(--panel))`],
    [`--mantine-color-${color}-light-color`, tone],
  ]),
);

/** Mantine's own variables, where the theme has no other way to them. Written here, because its own come later than any file. */
export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    ...lightGrounds,
    // White on these has 4.5:1; on Mantine's own it has not.
    '--mantine-color-red-filled': '#c22630',
    '--mantine-color-red-filled-hover': '#a81e28',
    '--mantine-color-green-filled': '#1f7a3a',
    '--mantine-color-body': '#ffffff',
    '--mantine-color-default-border': '#dfe3e7',
    '--mantine-color-dimmed': '#5b656f',
    '--mantine-color-placeholder': '#6b7580',
    '--mantine-color-error': 'var(--tone-bad)',
  },
  dark: {
    ...lightGrounds,
    '--mantine-color-red-filled': '#c92a2a',
    '--mantine-color-red-filled-hover': '#b02525',
    '--mantine-color-green-filled': '#267a37',
    '--mantine-color-body': '#1a1e23',
    '--mantine-color-default-border': '#30373f',
    '--mantine-color-dimmed': '#99a2ac',
    '--mantine-color-placeholder': '#8b949d',
    '--mantine-color-error': 'var(--tone-bad)',
  },
});
