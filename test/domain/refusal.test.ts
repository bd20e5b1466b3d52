import { describe, expect, test } from 'vitest'
import { catalogue, refusal } from '#domain/refusal.ts'

const every = Object.entries(catalogue)

describe('the data plane answers as the clients were measured to need it', () => {
  test.each([
    ['activations_exhausted', 410, 400],
    ['key_expired', 410, 400],
    ['key_revoked', 410, 400],
    ['key_invalid', 403, 400],
    ['scope_denied', 403, 400],
    ['request_refused', 400, 400],
    ['body_too_large', 413, 413],
    ['too_many_concurrent', 429, 429],
    ['upgrade_refused', 426, 426],
    ['provider_unreachable', 502, 502],
    ['provider_failed', 502, 502],
    ['provider_timeout', 504, 504],
    ['limit_exceeded', 429, 429],
    ['provider_credential_rejected', 403, 400],
    ['storage_unavailable', 503, 503],
  ] as const)('%s: %i, and %i for Codex', (code, status, codex) => {
    expect([catalogue[code].status, catalogue[code].codex]).toEqual([status, codex])
  })
})

describe('the control plane answers', () => {
  test.each([
    ['request_invalid', 400],
    ['token_invalid', 401],
    ['token_replayed', 401],
    ['policy_denied', 403],
    ['already_minted', 409],
    ['job_ended', 409],
    ['limit_exceeded', 429],
    ['storage_unavailable', 503],
    ['issuer_keys_unavailable', 503],
    ['credential_missing', 503],
    ['not_found', 404],
    ['method_not_allowed', 405],
    ['request_timeout', 408],
    ['body_too_large', 413],
  ] as const)('%s: %i', (code, status) => {
    expect(catalogue[code].status).toBe(status)
  })

  test('key_invalid: 401', () => {
    expect(catalogue.key_invalid.control).toBe(401)
  })
})

test.each(every)('%s says what is the case and what to do, in whole sentences', (code, entry) => {
  expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/)
  expect(entry.title).toMatch(/^[A-Z].*[^.]$/)
  expect(entry.meaning).toMatch(/^[A-Z`].*\.$/)
  expect(entry.remedy).toMatch(/^[A-Z`].*\.$/)
})

test('a refusal tells when to come again only where it was told', () => {
  expect(refusal('key_invalid', 'No.')).toEqual({ kind: 'refused', code: 'key_invalid', sentence: 'No.' })
  expect(refusal('too_many_concurrent', 'Wait.', 1)).toHaveProperty('retryAfter', 1)
})
