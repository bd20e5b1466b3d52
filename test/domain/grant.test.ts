import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { activate, deadReason, type EndReason, endReason, naturalEnd } from '#domain/grant.ts'
import { aGrant, aState } from './subjects.ts'

describe('activate()', () => {
  test('N activations are N, and never one more', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 0, max: 100 }), (limit, requests) => {
        const grant = aGrant({ limit })
        let used = 0
        for (let i = 0; i < requests; i++) {
          const activation = activate(grant, aState({ used }), 1500)
          if (activation.kind === 'activation') used = activation.used
        }
        expect(used).toBe(Math.min(limit, requests))
      }),
    )
  })

  test('the last one is admitted and tells the count', () => {
    expect(activate(aGrant(), aState({ used: 2 }), 1500)).toEqual({ kind: 'activation', used: 3, limit: 3 })
  })

  test('a spent budget is a state of the counter: one that is given back can be used', () => {
    expect(activate(aGrant(), aState({ used: 3 }), 1500)).toMatchObject({
      code: 'activations_exhausted',
      used: 3,
      limit: 3,
    })
    expect(activate(aGrant(), aState({ used: 2, givenBack: 1 }), 1500)).toMatchObject({ kind: 'activation' })
  })

  test.each<[EndReason, string]>([
    ['revoked_by_job', 'key_revoked'],
    ['revoked_by_operator', 'key_revoked'],
    ['job_completed', 'key_revoked'],
    ['reissued', 'key_revoked'],
    ['expired', 'key_expired'],
    ['idle', 'key_expired'],
    ['exhausted', 'activations_exhausted'],
  ])('after the end %s it refuses with %s, whatever is left', (reason, code) => {
    const refused = activate(aGrant(), aState({ ended: { at: 1400, reason } }), 1500)
    expect(refused).toMatchObject({ kind: 'refused', code, ended: reason })
  })

  test('it tells how time alone has ended a key, and of no end while only the budget is spent', () => {
    const grant = aGrant({ idleAfterSeconds: 100 })
    expect(activate(grant, aState({ activeAt: 1450 }), 1600)).toMatchObject({ ended: 'idle' })
    expect(activate(grant, aState({ activeAt: 1950 }), 2000)).toMatchObject({ ended: 'expired' })
    expect(activate(grant, aState({ activeAt: 1450, used: 3 }), 1500)).toMatchObject({ ended: null })
  })
})

describe('time', () => {
  test('a key lives until just before it expires', () => {
    expect(deadReason(aGrant(), aState(), 1999.999)).toBeNull()
    expect(deadReason(aGrant(), aState(), 2000)).toBe('key_expired')
  })

  test('idleness counts from the last sign of life', () => {
    const grant = aGrant({ idleAfterSeconds: 100 })
    expect(deadReason(grant, aState({ activeAt: 1450 }), 1549)).toBeNull()
    expect(deadReason(grant, aState({ activeAt: 1450 }), 1550)).toBe('key_expired')
  })

  test('without idle_after a key is never idle', () => {
    expect(deadReason(aGrant(), aState({ activeAt: 0 }), 1999)).toBeNull()
  })

  test('whichever came first is the end, at its own time', () => {
    const grant = aGrant({ idleAfterSeconds: 100 })
    expect(naturalEnd(grant, aState({ activeAt: 1500 }), 5000)).toEqual({ at: 1600, reason: 'idle' })
    expect(naturalEnd(grant, aState({ activeAt: 1950 }), 5000)).toEqual({ at: 2000, reason: 'expired' })
    expect(naturalEnd(grant, aState({ activeAt: 1900 }), 5000)).toEqual({ at: 2000, reason: 'expired' })
  })

  test('a clock that goes back revives nothing that has ended', () => {
    expect(deadReason(aGrant(), aState({ ended: { at: 2000, reason: 'expired' } }), 1500)).toBe('key_expired')
  })
})

describe('endReason(): how a key is closed', () => {
  test('spent, with its last request finished: exhausted, whatever closed it', () => {
    expect(endReason('revoked_by_job', { used: 3, limit: 3, open: 0 })).toBe('exhausted')
    expect(endReason('expired', { used: 3, limit: 3, open: 0 })).toBe('exhausted')
  })

  test('spent, with a request still open: by what closed it', () => {
    expect(endReason('revoked_by_job', { used: 3, limit: 3, open: 1 })).toBe('revoked_by_job')
  })

  test('not spent: by what closed it', () => {
    expect(endReason('job_completed', { used: 2, limit: 3, open: 0 })).toBe('job_completed')
  })

  test('replaced by a repeated mint stays that', () => {
    expect(endReason('reissued', { used: 3, limit: 3, open: 0 })).toBe('reissued')
  })
})
