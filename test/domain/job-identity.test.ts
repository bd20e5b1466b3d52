import { describe, expect, test } from 'vitest'
import { budgetUnit, jobIdentity, jobKey } from '#domain/job-identity.ts'
import { aJob } from './subjects.ts'

const CLAIMS = {
  iss: 'https://token.actions.githubusercontent.com',
  repository: 'acme/web',
  repository_id: '101',
  repository_owner_id: '11',
  run_id: '7001',
  run_attempt: '1',
  check_run_id: '90001',
}

describe('jobIdentity()', () => {
  test('reads the job out of the claims', () => {
    expect(jobIdentity({ ...CLAIMS, iat: 5, aud: ['x'] }, 'required')).toMatchObject({
      issuer: CLAIMS.iss,
      repositoryId: '101',
      repositoryOwnerId: '11',
      runId: '7001',
      runAttempt: '1',
      checkRunId: '90001',
      claims: CLAIMS,
    })
  })

  test.each(Object.keys(CLAIMS))('says that %s is missing when it is absent, empty or not a string', (name) => {
    for (const value of [undefined, '', 101, null, ['101']])
      expect(jobIdentity({ ...CLAIMS, [name]: value }, 'required')).toEqual({ missing: name })
  })

  test('does without check_run_id only where the issuer may leave it out, and then it is not empty', () => {
    const { check_run_id: _, ...without } = CLAIMS
    expect(jobIdentity(without, 'required')).toEqual({ missing: 'check_run_id' })
    expect(jobIdentity(without, 'optional')).toMatchObject({ checkRunId: null })
    expect(jobIdentity({ ...without, check_run_id: '' }, 'optional')).toEqual({ missing: 'check_run_id' })
  })

  test('where the issuer may leave check_run_id out it names no job, so that a run attempt has one budget', () => {
    expect(jobIdentity(CLAIMS, 'optional')).toMatchObject({ checkRunId: null, runId: '7001', claims: CLAIMS })
  })

  test('takes no claim from where objects have their own', () => {
    const inherited = Object.create(CLAIMS) as Record<string, unknown>
    expect(jobIdentity(inherited, 'required')).toEqual({ missing: 'iss' })
  })
})

describe('jobKey(): one job, one budget', () => {
  const key = (claims: Readonly<Record<string, string | undefined>> = {}) => jobKey(aJob(claims))

  test('is the same for any token of a job', () => {
    expect(key({ ref: 'refs/heads/other', actor: 'x', run_attempt: '2' })).toBe(key())
  })

  test.each(['iss', 'repository_id', 'check_run_id'])('differs with %s', (name) => {
    expect(key({ [name]: '5' })).not.toBe(key())
  })

  test.each(['run_id', 'run_attempt', 'repository_id', 'iss'])('without a check run, differs with %s', (name) => {
    expect(key({ check_run_id: undefined, [name]: '5' })).not.toBe(key({ check_run_id: undefined }))
  })

  test('of a check run is never that of a run', () => {
    expect(key({ check_run_id: 'run\n7001' })).not.toBe(key({ check_run_id: undefined }))
    expect(key({ repository_id: '101\ncheck', check_run_id: '1' })).not.toBe(key({ check_run_id: 'check\n1' }))
  })

  test('tells what the budget belongs to', () => {
    expect(budgetUnit(aJob())).toBe('job')
    expect(budgetUnit(aJob({ check_run_id: undefined }))).toBe('run_attempt')
  })
})
