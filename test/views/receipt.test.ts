import { describe, expect, test } from 'vitest'
import type { EndReason } from '#domain/grant.ts'
import type { Receipt } from '#domain/receipt.ts'
import { receiptMarkdown } from '#views/receipt.ts'

const at = (time: string) => Date.parse(`2026-11-20T${time}Z`) / 1000

const spent: Receipt = {
  key_id: 'k_0000000000000000000001',
  policy: 'review',
  job: {
    issuer: 'https://token.actions.githubusercontent.com',
    repository: 'acme/web',
    repository_id: '101',
    repository_owner_id: '11',
    run_id: '7001',
    run_attempt: '1',
    check_run_id: '90001',
    ref: 'refs/heads/main',
    sha: 'c0ffee',
    event_name: 'push',
    workflow_ref: null,
    actor: null,
  },
  providers: ['openai'],
  activations: { limit: 5, used: 5, given_back: 0, refused: {} },
  minted_at: at('13:40:00'),
  expires_at: at('14:40:00'),
  first_used_at: at('13:41:00'),
  last_used_at: at('14:02:00'),
  ended_at: at('14:03:07'),
  end_reason: 'revoked_by_job',
  routes: [{ provider: 'openai', route: 'POST /v1/responses', activations: 5 }],
  models: { 'gpt-5-mini': 5 },
  usage: { input_tokens: 12_345, output_tokens: 678 },
  audit: { events: 12, head: 'ab'.repeat(32) },
}

const verdict = (part: Partial<Receipt>) => receiptMarkdown({ ...spent, ...part }).split('\n')[0]

describe('the verdict comes first', () => {
  test('spent, nothing refused, revoked', () => {
    expect(verdict({})).toBe('### Till: 5 of 5 activations used · 0 refused · key revoked 14:03 UTC')
  })

  test('refusals of all codes are added up', () => {
    const activations = { limit: 1_000_000, used: 1234, given_back: 0, refused: { scope_denied: 2, key_expired: 3 } }
    expect(verdict({ activations })).toContain('1,234 of 1,000,000 activations used · 5 refused')
  })

  test.each<[EndReason | null, string]>([
    ['revoked_by_job', 'key revoked 14:03 UTC'],
    ['revoked_by_operator', 'key revoked by an operator 14:03 UTC'],
    ['job_completed', 'key ended with the job 14:03 UTC'],
    ['expired', 'key expired 14:03 UTC'],
    ['idle', 'key ended for idleness 14:03 UTC'],
    ['exhausted', 'key spent and closed 14:03 UTC'],
    ['reissued', 'key replaced 14:03 UTC'],
  ])('%s: %s', (end_reason, words) => {
    expect(verdict({ end_reason })).toContain(words)
  })

  test('a key that lives is said to, and until when', () => {
    expect(verdict({ ended_at: null, end_reason: null })).toContain('key still alive, until 14:40 UTC at the latest')
  })
})

test('the whole, as it stands in a job summary', () => {
  const activations = { ...spent.activations, refused: { activations_exhausted: 2 } }
  expect(receiptMarkdown({ ...spent, activations }, { jws: 'a.b.c' })).toMatchInlineSnapshot(`
    "### Till: 5 of 5 activations used · 2 refused · key revoked 14:03 UTC

    | Key | Policy | Providers | Models | Tokens |
    | --- | --- | --- | --- | --- |
    | \`k_0000000000000000000001\` | \`review\` | \`openai\` | \`gpt-5-mini\` | 12,345 in, 678 out |

    #### Refused

    | Code | Requests | Because |
    | --- | --- | --- |
    | \`activations_exhausted\` | 2 | All activations are spent |

    <details>
    <summary>Routes, models and the job</summary>

    | Route | Activations |
    | --- | --- |
    | \`openai POST /v1/responses\` | 5 |

    | Model | Activations |
    | --- | --- |
    | \`gpt-5-mini\` | 5 |

    | Job and key |  |
    | --- | --- |
    | Repository | \`acme/web\` |
    | Run | \`7001, attempt 1\` |
    | Event | \`push\` |
    | Ref | \`refs/heads/main\` |
    | Commit | \`c0ffee\` |
    | Minted | \`2026-11-20 13:40:00 UTC\` |
    | First used | \`2026-11-20 13:41:00 UTC\` |
    | Last used | \`2026-11-20 14:02:00 UTC\` |
    | Ended | \`2026-11-20 14:03:07 UTC\` |
    | Audit events | \`12\` |
    | Last event | \`abababababababababababababababababababababababababababababababab\` |

    The receipt, signed:

    \`\`\`
    a.b.c
    \`\`\`

    </details>
    "
  `)
})

describe('what was refused', () => {
  test('stands before the details, most frequent first', () => {
    const activations = { ...spent.activations, refused: { key_expired: 1, scope_denied: 9 } }
    const lines = receiptMarkdown({ ...spent, activations }).split('\n')
    const order = ['#### Refused', '| `scope_denied` | 9 |', '| `key_expired` | 1 |', '<details>']
    const places = order.map((start) => lines.findIndex((line) => line.startsWith(start)))
    expect(places).toEqual([...places].sort((a, b) => a - b))
    expect(places).not.toContain(-1)
  })

  test('is not mentioned where nothing was', () => {
    expect(receiptMarkdown(spent)).not.toContain('#### Refused')
  })
})

test('headings are of the third level and lower', () => {
  expect(receiptMarkdown(spent)).not.toMatch(/^#{1,2} /m)
})

describe('a value that a job chose stays a value', () => {
  const attacks = [
    'a`b``c```d',
    '@octocat and @acme/security',
    '#1 acme/web#2 GH-3',
    '<img src=x onerror=alert(1)><!-- -->',
    '</code></details><script>',
    'a | b | c',
    'line\nbreak\r\n\n# heading',
    '![beacon](https://evil.example/x.png)',
    '[link](javascript:alert(1))',
    'https://evil.example www.evil.example',
    '\\',
    '\u202egnp.exe\u200b',
    '&lt;script&gt; &#64;octocat',
    '::error::x ##[group]y',
    '| --- |',
    '   ',
  ]

  /** What is left of a line when its code spans, which GitHub does not read, are taken away. */
  const outside = (markdown: string) => markdown.replace(/`[^`\n]*`/g, '')
  const plain = outside(receiptMarkdown({ ...spent, models: { x: 5 } }))

  test.each(attacks)('%j', (text) => {
    const markdown = receiptMarkdown({
      ...spent,
      key_id: text,
      policy: text,
      job: { ...spent.job, repository: text, ref: text, sha: text, event_name: text, run_id: text, run_attempt: text },
      providers: [text],
      routes: [{ provider: text, route: text, activations: 5 }],
      models: { [text]: 5 },
      audit: { events: 12, head: text },
    })
    const shape = (markdown: string) => markdown.replace(/\| –/g, '| ')
    expect(shape(outside(markdown))).toBe(shape(plain))
    expect(markdown).not.toMatch(/@|#\d|<(?!\/?(details|summary)>)|:\/\//)
  })

  test('a refusal code that is none is shown and explained by nothing', () => {
    const activations = { ...spent.activations, refused: { 'x|<b>': 1, constructor: 2 } }
    const markdown = receiptMarkdown({ ...spent, activations })
    expect(markdown).toContain('| `x¦‹b>` | 1 |  |')
    expect(markdown).toContain('| `constructor` | 2 |  |')
  })
})

test('is below 64 KiB, whatever the receipt holds', () => {
  const long = '\u{1f600}'.repeat(200)
  const many = <T>(value: (n: number) => T) => Array.from({ length: 4096 }, (_, n) => value(n))
  const markdown = receiptMarkdown(
    {
      ...spent,
      policy: long,
      providers: many((n) => `${long}${n}`),
      routes: many((n) => ({ provider: long, route: `${n}${long}`, activations: 1_000_000_000 })),
      models: Object.fromEntries(many((n) => [`${n}${long}`, 1_000_000_000])),
      activations: { ...spent.activations, refused: Object.fromEntries(many((n) => [`${n}${long}`, 1_000_000_000])) },
    },
    { jws: `a.${'b'.repeat(16_000)}.c` },
  )
  expect(Buffer.byteLength(markdown)).toBeLessThan(65_536)
  expect(markdown).toContain('… and 4076 more.')
})

test('a signed receipt that is none, or too long to be shown, is left out', () => {
  expect(receiptMarkdown(spent, { jws: 'a.b.c\n```\n@octocat' })).not.toContain('octocat')
  expect(receiptMarkdown(spent, { jws: `a.${'b'.repeat(20_000)}.c` })).not.toContain('bbbb')
})
