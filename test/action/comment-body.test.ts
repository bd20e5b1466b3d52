import { describe, expect, test } from 'vitest'
import { commentBody } from '#action/comment.ts'
import { readCarried } from '#action/comment-state.ts'
import { row } from '#test/views/comment-example.ts'
import { COMMENT_MARKER } from '#views/comment.ts'
import type { JobRow } from '#views/job-row.ts'

const job = (n: number, changes: Partial<JobRow> = {}): JobRow => ({
  ...row,
  key_id: `k_${String(n).padStart(22, '0')}`,
  check_run_id: String(90_000 + n),
  minted_at: row.minted_at + n,
  ...changes,
})
const range = (length: number) => [...Array(length).keys()]
const add = (bodies: readonly string[], mine: JobRow) => commentBody(bodies, mine, 'https://github.com')!
/** One job after the other. */
const comment = (jobs: readonly JobRow[]) => jobs.reduce<string[]>((bodies, mine) => [add(bodies, mine)], [])[0]!
const verdict = (body: string) => body.split('\n')[1]

test('a matrix of 256 jobs is counted to the last, with what the first of them was refused', () => {
  const refused = job(0, { refused: { scope_denied: 9 }, end_reason: 'job_completed' })
  const body = comment([refused, ...range(255).map((n) => job(n + 1))])
  expect(verdict(body)).toBe('### Till: 3,072 of 6,400 activations used by 256 jobs · 9 refused · all keys ended')
  expect(body).toContain('[job 90000](')
  expect(body).toContain('… and 206 more.')
  expect(body).toContain('| `scope_denied` | 9 | 1 |')
})

test('where each of them was refused something, all of it counts', () => {
  const body = comment(range(256).map((n) => job(n, { refused: { scope_denied: 2 }, end_reason: 'expired' })))
  expect(verdict(body)).toBe('### Till: 3,072 of 6,400 activations used by 256 jobs · 512 refused · all keys ended')
  expect(body).toContain('| `scope_denied` | 512 | 256 |')
  expect(body).toContain('⚠️ 256 keys were not closed')
  expect(body).toContain('… and 206 more, with 412 refused.')
})

test('a job whose row was dropped is not counted again when it looks whether it stands', () => {
  const body = comment(range(256).map((n) => job(n)))
  for (const n of [0, 100, 255]) expect(add([body], job(n))).toBe(body)
})

test('two comments that came into being at the same time become one that counts each job once', () => {
  const common = comment(range(60).map((n) => job(n)))
  const [one, other] = [add([common], job(60)), add([common], job(61))]
  expect(verdict(add([one, other], job(60)))).toContain('by 62 jobs')
  const [left, right] = [comment(range(60).map((n) => job(n))), comment(range(60).map((n) => job(n + 60)))]
  expect(verdict(add([left, right], job(0)))).toContain('by 120 jobs')
})

test('jobs of earlier commits are counted apart, also once the commit is back', () => {
  const body = comment([
    ...range(100).map((n) => job(n, { sha: 'old', used: 1 })),
    ...range(100).map((n) => job(100 + n)),
  ])
  expect(verdict(body)).toContain('1,200 of 2,500 activations used by 100 jobs')
  expect(body).toContain('Earlier commits: 100 jobs')
  expect(verdict(add([body], job(300, { sha: 'old', used: 1 })))).toContain('101 of 2,525 activations used by 101 jobs')
})

test('after more commits than are told apart every job still counts', () => {
  const body = comment(range(200).map((n) => job(n, { sha: String(n) })))
  expect(body).toContain('Earlier commits: 199 jobs')
})

test('a comment that carries rows alone is read', () => {
  const rows = range(50).map((n) => job(n))
  const line = `<!-- till:rows ${Buffer.from(JSON.stringify(rows)).toString('base64url')} -->`
  expect(verdict(add([`${COMMENT_MARKER}\n### Till\n${line}\n`], job(50)))).toContain('by 51 jobs')
})

describe('what was changed in a comment', () => {
  const changed = (name: string, value: unknown) =>
    `${COMMENT_MARKER}\n<!-- till:${name} ${Buffer.from(JSON.stringify(value)).toString('base64url')} -->`
  const sum = {
    sha: 'c0ffee',
    jobs: 1,
    used: 1,
    limit: 1,
    refused: {},
    unclosed: 0,
    alive: 0,
    minted_at: 1,
    names: [],
  }

  test.each([
    ['a number below zero', { ...sum, used: -1 }],
    ['a number as text', { ...sum, jobs: '7' }],
    ['a code that is none', { ...sum, refused: { '<b>': { requests: 1, jobs: 1 } } }],
    ['a name that is too long', { ...sum, names: ['123456789'] }],
  ])('into %s is not read', (_, value) => {
    expect(readCarried(changed('sums', [value])).sums).toEqual([])
    expect(readCarried(changed('sums', [sum])).sums).toHaveLength(1)
  })

  test('into the largest numbers adds up to one that is read again', () => {
    const most = Number.MAX_SAFE_INTEGER
    const refused = { scope_denied: { requests: most, jobs: most } }
    const body = add(
      [changed('sums', [{ ...sum, jobs: most, used: most, refused }])],
      job(1, { refused: { scope_denied: 1 } }),
    )
    expect(verdict(add([body], job(2)))).toContain('9,007,199,254,740,991 refused')
  })

  test('so that this job is among those added up leaves its row', () => {
    expect(add([changed('sums', [{ ...sum, names: [row.key_id.slice(-8)] }])], row)).toContain('[job 90001](')
  })

  test('into the longest texts leaves a comment that GitHub takes', () => {
    const long = '\u4e00'.repeat(256)
    const code = (n: number) => `${'x'.repeat(60)}${'abcdefghijklmnopqrst'[n]}`
    const rows = range(6).map((n) =>
      job(n, {
        policy: long,
        repository: long,
        sha: `${n}${long}`.slice(0, 256),
        workflow: long,
        models: [long, long, long],
        refused: Object.fromEntries(range(8).map((c) => [code(c), 1e15])),
      }),
    )
    const sums = range(12).map((n) => ({
      ...sum,
      sha: `${n}${long}`.slice(0, 256),
      refused: Object.fromEntries(range(20).map((c) => [code(c), { requests: 1e14, jobs: 1e14 }])),
    }))
    expect(readCarried(changed('rows', rows)).rows).toHaveLength(6)
    expect(readCarried(changed('sums', sums)).sums).toHaveLength(12)
    expect(add([changed('rows', rows), changed('sums', sums)], job(99)).length).toBeLessThan(65_536)
  })
})
