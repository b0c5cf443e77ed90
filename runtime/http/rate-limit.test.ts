import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../base/clock.ts';
import { createRateLimiter } from './rate-limit.ts';

describe('createRateLimiter', () => {
  it('counts an IPv6 network as one client', () => {
    const limiter = createRateLimiter({ windowMs: 1000, maxRequests: 2, clock: new VirtualClock() });
    expect(limiter.take('2001:db8:1:2:3:4:5:6')).toEqual({});
    expect(limiter.take('2001:db8:1:2::99')).toEqual({});
    expect(limiter.take('2001:0db8:0001:0002::1%eth0')).toEqual({ retryAfterSeconds: 1 });
    expect(limiter.take('2001:db8:1:3::1')).toEqual({});
    expect(limiter.take('::1')).toEqual({});
    expect(limiter.take('fe80::')).toEqual({});
  });

  it('forgets the longest known clients rather than grow without bound', () => {
    const limiter = createRateLimiter({ windowMs: 1000, maxRequests: 1, clock: new VirtualClock() });
    const client = (i: number) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
    for (let i = 0; i < 10_001; i++) limiter.take(client(i));
    expect(limiter.take(client(10_000))).toHaveProperty('retryAfterSeconds');
    expect(limiter.take(client(0))).toEqual({});
  });
});
