import { isIP } from 'node:net';
import * as z from 'zod';

/** How the text of a setting is read, and what is allowed, in words that complete "… must be". */
export interface SettingKind<T> {
  schema: z.ZodType<T, string>;
  allowed: string;
}

const number = new Intl.NumberFormat('en', { useGrouping: true });

/** A whole number within a range, both ends included. `unit` is for people, such as `s` or `bytes`. */
export function whole(range: { from: number; to: number; unit?: string }): SettingKind<number> {
  const unit = range.unit === undefined ? '' : ` (${range.unit})`;
  return {
    schema: z
      .string()
      .regex(/^\d{1,15}$/)
      .transform(Number)
      .pipe(z.int().min(range.from).max(range.to)),
    allowed: `a whole number from ${number.format(range.from)} to ${number.format(range.to)}${unit}`,
  };
}

/** A TCP port; 0 lets the system choose. */
export const port: SettingKind<number> = {
  ...whole({ from: 0, to: 65_535 }),
  allowed: 'a port from 0 to 65535 (0: the system chooses a free one)',
};

const SWITCH: Record<string, boolean> = { true: true, 1: true, false: false, 0: false };

export const onOff: SettingKind<boolean> = {
  schema: z
    .string()
    .toLowerCase()
    .refine((text) => Object.hasOwn(SWITCH, text))
    .transform((text) => SWITCH[text] === true),
  allowed: 'true or false (1 or 0)',
};

export function oneOf<const T extends string>(...values: T[]): SettingKind<T> {
  return { schema: z.string().toLowerCase().pipe(z.enum(values)), allowed: listed(values) };
}

export function text(allowed: string, pattern: RegExp): SettingKind<string> {
  return { schema: z.string().regex(pattern), allowed };
}

/** A URL with one of the given schemes. */
export function url(...schemes: string[]): SettingKind<string> {
  return {
    schema: z.string().refine((value) => {
      const parsed = URL.parse(value);
      return parsed !== null && parsed.hostname !== '' && schemes.includes(parsed.protocol.slice(0, -1));
    }),
    allowed: `a URL that begins with ${listed(schemes.map((scheme) => `${scheme}://`))}`,
  };
}

/** What a provider, a mail server or the user gives as a key or password: anything but line breaks and other controls. */
export const secretText: SettingKind<string> = {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused, they would split a header
  schema: z.string().regex(/^[^\x00-\x1f\x7f]{1,4096}$/),
  allowed: 'text of at most 4,096 characters without line breaks',
};

/** An address to listen on. Names other than `localhost` are refused: which address they mean can change. */
export const bindAddress: SettingKind<string> = {
  schema: z.string().refine((value) => value === 'localhost' || isIP(value) !== 0),
  allowed: 'an IP address of this machine, localhost, or 0.0.0.0 or :: for all addresses',
};

/** Addresses and networks (`10.0.0.0/8`), separated by commas; `none` for none. */
export const addressList: SettingKind<string[]> = {
  schema: z
    .string()
    .transform((value) => (value === 'none' ? [] : value.split(',').map((part) => part.trim())))
    .refine((parts) => parts.every(isAddressOrNetwork)),
  allowed: 'none, or IP addresses and networks such as 10.0.0.0/8, separated by commas',
};

/** `host:port`, separated by commas. */
export const hostPortList: SettingKind<string[]> = {
  schema: z
    .string()
    .transform((value) => value.split(',').map((part) => part.trim()))
    .refine((parts) =>
      parts.every((part) => /^[A-Za-z0-9.-]+:\d{1,5}$|^\[[0-9A-Fa-f:]+\]:\d{1,5}$/.test(part)),
    ),
  allowed: 'host:port, several separated by commas',
};

function isAddressOrNetwork(part: string): boolean {
  const [address = '', prefix, ...rest] = part.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128));
}

function listed(values: readonly string[]): string {
  return values.length < 2 ? values.join('') : `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;
}
