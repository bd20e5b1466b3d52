import { readFileSync } from 'node:fs'
import { micromark } from 'micromark'
import { gfm, gfmHtml } from 'micromark-extension-gfm'
import { describe, expect, test } from 'vitest'
import { COMMENT_MARKER, commentMarkdown, isWorthSaying } from '#views/comment.ts'
import type { JobRow } from '#views/job-row.ts'
import { EXAMPLE, row } from './comment-example.ts'

const options = { serverUrl: 'https://github.com' }
const text = (rows: readonly JobRow[]) => commentMarkdown(rows, options)

const job = (n: number, changes: Partial<JobRow> = {}): JobRow => ({
  ...row,
  key_id: `k_${String(n).padStart(22, '0')}`,
  check_run_id: String(90_000 + n),
  minted_at: row.minted_at + n,
  ...changes,
})

test('docs/comment.md shows what a comment looks like', () => {
  expect(readFileSync('docs/comment.md', 'utf8')).toContain(text(EXAMPLE))
})

describe('the verdict comes first', () => {
  const verdict = (...rows: JobRow[]) => text(rows).split('\n')[0]

  test('of one job', () => {
    expect(verdict(row)).toBe('### Till: 12 of 25 activations used · 0 refused · key revoked 14:03 UTC')
  })

  test('of several', () => {
    const rows = [job(1), job(2, { refused: { scope_denied: 2, key_expired: 1 } })]
    expect(verdict(...rows)).toBe('### Till: 24 of 50 activations used by 2 jobs · 3 refused · all keys ended')
  })

  test('says how many keys are still alive', () => {
    const alive = { ended_at: null, end_reason: null }
    expect(verdict(job(1, alive), job(2))).toContain('1 key still alive')
    expect(verdict(job(1, alive), job(2, alive))).toContain('2 keys still alive')
  })

  test('is about the newest commit', () => {
    expect(verdict(job(1, { sha: 'old', used: 25 }), job(2))).toContain('12 of 25')
  })
})

test.each(['job_completed', 'expired', 'idle'] as const)(
  'a key that ended as %s is shown as not closed',
  (end_reason) => {
    const markdown = text([job(1, { end_reason }), job(2)])
    expect(markdown).toContain('⚠️ 1 key was not closed by the post step')
    expect(markdown.match(/\| ⚠️ /g)).toHaveLength(1)
  },
)

test('jobs of earlier commits are folded', () => {
  const [open, folded] = text([job(1, { sha: 'old' }), job(2)]).split('Earlier commits: 1 job')
  expect(open).toContain('job 90002')
  expect(open).not.toContain('job 90001')
  expect(folded).toContain('job 90001')
})

describe('there is something to say', () => {
  const quiet = { used: 0 }
  test.each<[string, Partial<JobRow>, boolean]>([
    ['of a key that was used', {}, true],
    ['of a refusal', { ...quiet, refused: { scope_denied: 1 } }, true],
    ['of a key that nobody closed', { ...quiet, end_reason: 'job_completed' }, true],
    ['not of one that was not used and closed', quiet, false],
    ['not of one that lives and was not used', { ...quiet, ended_at: null, end_reason: null }, false],
  ])('%s', (_, changes, isSaid) => {
    expect(isWorthSaying([job(1, changes)])).toBe(isSaid)
  })
})

describe('rendered as GitHub renders it', () => {
  /** Raw HTML is let through, as on GitHub, where a list of allowed elements comes after. */
  const html = (markdown: string) =>
    micromark(markdown, { allowDangerousHtml: true, extensions: [gfm()], htmlExtensions: [gfmHtml()] })
  const elements = (markdown: string) =>
    [...html(markdown).matchAll(/<\/?([a-z0-9!]+)(?: ([^>]*))?>/gi)].map(([, name, rest]) =>
      `${name} ${rest ?? ''}`.trim(),
    )
  const ATTACKS = [
    'a`b``c```d````',
    '@octocat and @acme/security',
    '#1 acme/web#2 GH-3',
    '<img src=https://evil.example/x onerror=alert(1)>',
    '<!-- till:audit --> <!-- till:rows W10 -->',
    '</code></td></tr></table></details><script>alert(1)</script>',
    'a | b | c',
    'line\nbreak\r\n\n# heading',
    '![beacon](https://evil.example/x.png)',
    '[link](javascript:alert(1))',
    'https://evil.example www.evil.example x@evil.example',
    '\\|\\`',
    '\u202egnp.exe\u200b',
    '&lt;script&gt; &#64;octocat',
    '$\\color{red}{x}$ :tada: ~~x~~ **x** [^1]',
    '| --- |\n| --- |',
    '   ',
    '```mermaid\ngraph TD\n```',
  ]
  const plain = elements(text([job(1, { refused: { scope_denied: 1 } })]))

  test.each(ATTACKS)('%j is text and nothing else', (attack) => {
    const markdown = text([
      job(1, { key_id: attack, policy: attack, workflow: attack, models: [attack], refused: { [attack]: 1 } }),
    ])
    // An empty value is a dash and no code span.
    const shape = (found: readonly string[]) => found.filter((element) => element !== 'code')
    expect(shape(elements(markdown))).toEqual(shape(plain))
    expect(html(markdown)).not.toMatch(/<!--|href="(?!https:\/\/github\.com\/acme\/web\/)|<[^>]*src=/)
    expect(markdown).not.toMatch(/@|<!--/)
  })

  test.each(['\u061c', '\u180e', '\u3164', '\u2800', '\ufe0f', '\u{e0049}\u{e0067}'])(
    'what is not seen in a name is shown as a replacement character: %j',
    (unseen) => {
      const markdown = text([job(1, { policy: `a${unseen}b`, models: [`a${unseen}b`] })])
      expect(markdown).not.toContain(unseen)
      expect(markdown).toMatch(/`a\ufffd+b`/)
    },
  )

  test.each(['acme/web)](x', '../../evil', 'acme/web?x', 'acme/web/../../evil', '<b>/x'])(
    'the repository %j becomes no address',
    (repository) => {
      expect(html(text([job(1, { repository })]))).not.toContain('href')
    },
  )

  test.each(['1/../../../evil', '90001)', ''])('the id %j becomes no address', (id) => {
    for (const changes of [{ run_id: id }, { run_attempt: id, check_run_id: null }, { check_run_id: id }])
      expect(html(text([job(1, changes)]))).not.toContain('href')
  })

  test('a job that could be any name is a link to its log, and an attempt to its run', () => {
    expect(html(text([row]))).toContain('<a href="https://github.com/acme/web/actions/runs/7001/job/90001">')
    expect(html(text([{ ...row, check_run_id: null }]))).toContain('/actions/runs/7001/attempts/1">')
  })
})

describe('where not every job can have a row', () => {
  const many = Array.from({ length: 60 }, (_, n) => job(n, n === 0 ? { refused: { scope_denied: 9 } } : {}))

  test('the rows of those of which nothing is to be said go first, and all count', () => {
    const markdown = text(many)
    expect(markdown).toContain('### Till: 720 of 1,500 activations used by 60 jobs · 9 refused · all keys ended')
    expect(markdown).toContain('[job 90000](')
    expect(markdown).not.toContain('[job 90001](')
    expect(markdown).toContain('… and 10 more.')
  })

  test('jobs that were added up before count like those that have a row', () => {
    const sums = (sha: string, unclosed: number) => ({
      sha,
      jobs: 200,
      used: 1000,
      limit: 5000,
      refused: { scope_denied: { requests: 7, jobs: 3 } },
      unclosed,
      alive: 1,
    })
    const markdown = commentMarkdown([row, job(1, { refused: { scope_denied: 1 } })], {
      ...options,
      beside: [sums('c0ffee', 4), sums('old', 5)],
    })
    expect(markdown).toContain('### Till: 1,024 of 5,050 activations used by 202 jobs · 8 refused · 1 key still alive')
    expect(markdown).toContain('… and 200 more, with 7 refused.')
    expect(markdown).toContain('⚠️ 4 keys were not closed')
    expect(markdown).toContain('| `scope_denied` | 8 | 4 |')
    expect(markdown).toContain('Earlier commits: 200 jobs')
  })
})

test('is below 48 KiB whatever the rows hold, and says how many are left out', () => {
  const long = '\u{1f600}'.repeat(100)
  const rows = Array.from({ length: 2000 }, (_, n) =>
    job(n, {
      policy: long,
      workflow: long,
      models: [long, long, long],
      sha: n < 1000 ? 'old' : 'new',
      refused: Object.fromEntries(Array.from({ length: 8 }, (_, code) => [`${long}${n}${code}`, 1_000_000_000])),
    }),
  )
  const markdown = text(rows)
  expect(markdown).toContain('… and 950 more, with 7,600,000,000,000 refused.')
  expect(markdown).toContain('… and 980 more, with 7,840,000,000,000 refused.')
  expect(markdown.length).toBeLessThan(65_536)
})

test('the marker is one that GitHub does not show', () => {
  expect(COMMENT_MARKER).toMatch(/^<!-- [a-z:]+ -->$/)
})
