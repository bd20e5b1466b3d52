import { describe, expect, test } from 'vitest'
import { type Ask, decide } from '#domain/decide.ts'
import type { Job } from '#domain/job-identity.ts'
import type { Policy } from '#domain/policy.ts'
import { formatRoute } from '#domain/route.ts'
import { aJob, aPolicy, providers, routes } from './subjects.ts'

const ask = (part: Partial<Ask> = {}): Ask => ({ providers: ['openai'], ...part })
const decided = (policies: readonly Policy[], job: Job = aJob(), asked: Ask = ask()) =>
  decide(policies, providers, job, asked)

function allowed(policies: readonly Policy[], job: Job = aJob(), asked: Ask = ask()) {
  const decision = decided(policies, job, asked)
  if (decision.kind === 'denied') throw new Error(decision.sentence)
  return decision.terms
}

function denied(policies: readonly Policy[], job: Job = aJob(), asked: Ask = ask()): string {
  const decision = decided(policies, job, asked)
  if (decision.kind === 'allowed') throw new Error(`allowed by ${decision.terms.policy.name}`)
  return decision.sentence
}

const claims = (claims: Readonly<Record<string, readonly string[]>>) => new Map(Object.entries(claims))
const scopeOf = (terms: ReturnType<typeof allowed>, provider: string) =>
  terms.scope.routes.get(provider)?.map(formatRoute)

describe('which policy decides', () => {
  test('the first that matches, from top to bottom', () => {
    const policies = [aPolicy({ name: 'other', repositoryIds: ['7'] }), aPolicy({ name: 'a' }), aPolicy({ name: 'b' })]
    expect(allowed(policies).policy.name).toBe('a')
  })

  test('one that matches the job and does not cover what is asked is passed over', () => {
    const policies = [aPolicy({ name: 'small', activations: 5 }), aPolicy({ name: 'large', activations: 500 })]
    expect(allowed(policies, aJob(), ask({ activations: 100 })).policy.name).toBe('large')
  })

  test('only the one that is asked for by name', () => {
    const policies = [aPolicy({ name: 'a' }), aPolicy({ name: 'b', activations: 5 })]
    expect(allowed(policies, aJob(), ask({ policy: 'b' })).policy.name).toBe('b')
    expect(denied(policies, aJob(), ask({ policy: 'b', activations: 6 }))).toContain('activations')
  })

  test('none, where there are none', () => {
    expect(decided([]).kind).toBe('denied')
  })
})

describe('the ids', () => {
  test('repository_id is one of the listed', () => {
    expect(allowed([aPolicy({ repositoryIds: ['7', '101'] })]).policy.name).toBe('review')
    expect(decided([aPolicy({ repositoryIds: ['1010', '10'] })]).kind).toBe('denied')
  })

  test('repository_owner_id stands alone for every repository of an owner', () => {
    const policies = [aPolicy({ repositoryIds: null, repositoryOwnerIds: ['11'] })]
    expect(allowed(policies, aJob({ repository_id: '999' })).policy.name).toBe('review')
    expect(decided(policies, aJob({ repository_owner_id: '12' })).kind).toBe('denied')
  })

  test('where both stand, both match', () => {
    const policies = [aPolicy({ repositoryIds: ['101'], repositoryOwnerIds: ['11'] })]
    expect(decided(policies).kind).toBe('allowed')
    expect(decided(policies, aJob({ repository_owner_id: '12' })).kind).toBe('denied')
    expect(decided(policies, aJob({ repository_id: '102' })).kind).toBe('denied')
  })

  test('a repository that has taken over the name has another id, and gets nothing', () => {
    const policies = [aPolicy({ claims: claims({ repository: ['acme/web'] }) })]
    expect(decided(policies, aJob({ repository_id: '555' })).kind).toBe('denied')
  })

  test('ids are digits, not patterns', () => {
    expect(decided([aPolicy({ repositoryIds: ['*'] })]).kind).toBe('denied')
  })

  test('a policy without an id matches no job', () => {
    expect(decided([aPolicy({ repositoryIds: null, repositoryOwnerIds: null })]).kind).toBe('denied')
  })
})

describe('the event', () => {
  test.each(['push', 'schedule', 'workflow_dispatch', 'merge_group', 'pull_request'])(
    '%s matches without being named',
    (event_name) => {
      expect(decided([aPolicy()], aJob({ event_name })).kind).toBe('allowed')
    },
  )

  test.each([
    'pull_request_target',
    'issue_comment',
    'issues',
    'workflow_run',
    'discussion',
    'repository_dispatch',
    'release',
    'Push',
    '',
  ])('%j matches only where it is named', (event_name) => {
    expect(denied([aPolicy()], aJob({ event_name }))).toContain('event_name')
    const policies = [aPolicy({ claims: claims({ event_name: [event_name] }) })]
    expect(decided(policies, aJob({ event_name })).kind).toBe('allowed')
  })

  test('naming one takes the others away', () => {
    const policies = [aPolicy({ claims: claims({ event_name: ['issue_comment'] }) })]
    expect(decided(policies, aJob({ event_name: 'push' })).kind).toBe('denied')
  })

  test('a token that tells no event matches nothing', () => {
    expect(decided([aPolicy()], aJob({ event_name: undefined })).kind).toBe('denied')
  })
})

describe('the claims', () => {
  test('every named claim matches, by any of its values', () => {
    const policies = [
      aPolicy({ claims: claims({ ref: ['refs/heads/main', 'refs/heads/next'], environment: ['agents'] }) }),
    ]
    expect(decided(policies).kind).toBe('allowed')
    expect(decided(policies, aJob({ ref: 'refs/heads/next' })).kind).toBe('allowed')
    expect(decided(policies, aJob({ environment: 'other' })).kind).toBe('denied')
  })

  test.each([
    ['case is another value', 'refs/heads/Main'],
    ['a longer value is another value', 'refs/heads/main2'],
    ['a tag of the same name is another value', 'refs/tags/main'],
    ['a line feed at the end is another value', 'refs/heads/main\n'],
    ['a letter that looks alike is another value', 'refs/heads/m\u0430in'],
  ])('%s', (_, ref) => {
    expect(decided([aPolicy({ claims: claims({ ref: ['refs/heads/main'] }) })], aJob({ ref })).kind).toBe('denied')
  })

  test('a star stays within its segment', () => {
    const policies = [aPolicy({ claims: claims({ ref: ['refs/heads/*'] }) })]
    expect(decided(policies).kind).toBe('allowed')
    expect(decided(policies, aJob({ ref: 'refs/heads/feature/x' })).kind).toBe('denied')
  })

  test('a value that is not ASCII matches nothing, not even a star', () => {
    const policies = [aPolicy({ claims: claims({ environment: ['*', 'prod-\u00e9'] }) })]
    expect(decided(policies, aJob({ environment: 'prod-\u00e9' })).kind).toBe('denied')
  })

  test('a claim that the token lacks matches nothing, not even a star', () => {
    const policies = [aPolicy({ claims: claims({ environment: ['*'] }) })]
    expect(denied(policies, aJob({ environment: undefined }))).toContain('environment')
  })

  test('names of object members are no claims', () => {
    const policies = [aPolicy({ claims: claims({ constructor: ['*'], __proto__: ['*'] }) })]
    expect(decided(policies).kind).toBe('denied')
  })

  test('job_workflow_ref narrows a policy that has an id, and replaces none', () => {
    const ref = 'acme/shared/.github/workflows/agent.yml@refs/heads/main'
    const policies = [aPolicy({ claims: claims({ job_workflow_ref: [ref] }) })]
    expect(decided(policies, aJob({ job_workflow_ref: ref })).kind).toBe('allowed')
    expect(decided(policies, aJob({ job_workflow_ref: ref, repository_id: '999' })).kind).toBe('denied')
  })
})

describe('what is asked for', () => {
  test('nothing but providers gets what the policy gives', () => {
    const terms = allowed([aPolicy({ models: ['gpt-5-mini'], routes: routes('POST /v1/responses') })])
    expect(terms).toMatchObject({ providers: ['openai'], activations: 50, expiresInSeconds: 3600 })
    expect(terms.scope.models).toEqual(['gpt-5-mini'])
    expect(scopeOf(terms, 'openai')).toEqual(['POST /v1/responses'])
  })

  test('less gives less', () => {
    const asked = ask({
      activations: 5,
      expiresInSeconds: 60,
      routes: routes('POST /v1/responses'),
      models: ['gpt-5-mini'],
    })
    const terms = allowed([aPolicy()], aJob(), asked)
    expect(terms).toMatchObject({ activations: 5, expiresInSeconds: 60 })
    expect(scopeOf(terms, 'openai')).toEqual(['POST /v1/responses'])
    expect(terms.scope.models).toEqual(['gpt-5-mini'])
  })

  test('as much as the policy gives is not more', () => {
    expect(allowed([aPolicy()], aJob(), ask({ activations: 50, expiresInSeconds: 3600 })).activations).toBe(50)
  })

  test.each<[string, Partial<Ask>]>([
    ['providers', { providers: ['openai', 'anthropic'] }],
    ['activations', { activations: 51 }],
    ['expires_in', { expiresInSeconds: 3601 }],
    ['routes', { routes: routes('POST /v1/responses', 'POST /v1/files') }],
    ['models', { models: ['gpt-5-mini', 'gpt-5'] }],
  ])('more %s than the policy gives is denied and named', (field, more) => {
    const sentence = denied([aPolicy({ models: ['gpt-5-mini'] })], aJob(), ask(more))
    expect(sentence).toContain(` ${field} `)
    expect(sentence).toContain('"review"')
  })

  test('a provider asked for twice is one', () => {
    expect(allowed([aPolicy()], aJob(), ask({ providers: ['openai', 'openai'] })).providers).toEqual(['openai'])
  })

  test('a provider that the policy names and the configuration does not is denied', () => {
    const policies = [aPolicy({ providers: ['openai', 'gone'] })]
    expect(denied(policies, aJob(), ask({ providers: ['gone'] }))).toContain('providers')
  })
})

describe('routes', () => {
  const both = aPolicy({ providers: ['openai', 'anthropic'] })
  const forBoth = ask({ providers: ['openai', 'anthropic'] })

  test('where the policy names none, each provider has its own', () => {
    const terms = allowed([both], aJob(), forBoth)
    expect(terms.scope.routes.get('openai')).toEqual(providers.get('openai')!.routes)
    expect(scopeOf(terms, 'anthropic')).toEqual(['POST /v1/messages'])
  })

  test('those of a policy apply to each provider it names', () => {
    const terms = allowed([{ ...both, routes: routes('POST /v1/messages') }], aJob(), forBoth)
    expect(scopeOf(terms, 'openai')).toEqual(['POST /v1/messages'])
    expect(scopeOf(terms, 'anthropic')).toEqual(['POST /v1/messages'])
  })

  test('a policy may name routes that the preset leaves out', () => {
    const terms = allowed([aPolicy({ routes: routes('POST /v1/images/generations') })])
    expect(scopeOf(terms, 'openai')).toEqual(['POST /v1/images/generations'])
  })

  test('each provider gets those of the asked ones that are its own', () => {
    const asked = { ...forBoth, routes: routes('POST /v1/messages', 'POST /v1/responses') }
    const terms = allowed([both], aJob(), asked)
    expect(scopeOf(terms, 'openai')).toEqual(['POST /v1/responses'])
    expect(scopeOf(terms, 'anthropic')).toEqual(['POST /v1/messages'])
  })

  test('a route within a wider one of the policy is covered', () => {
    const terms = allowed(
      [aPolicy({ routes: routes('POST /v1/**') })],
      aJob(),
      ask({ routes: routes('POST /v1/responses') }),
    )
    expect(scopeOf(terms, 'openai')).toEqual(['POST /v1/responses'])
  })

  test('a route wider than those of the policy is not', () => {
    expect(denied([aPolicy()], aJob(), ask({ routes: routes('POST /v1/*') }))).toContain('POST /v1/*')
  })

  test('another method is not covered', () => {
    expect(denied([aPolicy()], aJob(), ask({ routes: routes('GET /v1/responses') }))).toContain('routes')
  })

  test('a route that one provider has as its own is not respelled for the others of the policy', () => {
    const mixed = aPolicy({
      providers: ['openai', 'groq', 'gemini', 'billing'],
      routes: routes(
        'POST /v1/chat/completions',
        'GET /invoices/*',
        'POST /v1beta/models/*:generateContent',
        'POST /files',
      ),
    })
    const { scope } = allowed([mixed], aJob(), ask({ providers: mixed.providers }))
    const paths = (name: string) => scope.routes.get(name)!.map(({ path }) => path)
    expect(paths('openai')).toEqual(['/v1/chat/completions', '/v1/files'])
    expect(paths('groq')).toEqual(['/openai/v1/chat/completions', '/openai/v1/files'])
    expect(paths('billing')).toContain('/invoices/*')
  })

  test('free routes need not be asked for, and may be', () => {
    const terms = allowed([aPolicy()], aJob(), ask({ routes: routes('POST /v1/responses', 'GET /v1/models') }))
    expect(scopeOf(terms, 'openai')).toEqual(['POST /v1/responses'])
  })

  test("are in the provider's own spelling, whoever wrote them", () => {
    const policies = [
      aPolicy({ providers: ['anthropic', 'groq'], routes: routes('POST /messages', 'POST /v1/responses') }),
    ]
    const asked = ask({ providers: ['anthropic', 'groq'], routes: routes('POST /v1/v1/messages', 'POST /responses') })
    const terms = allowed(policies, aJob(), asked)
    expect(scopeOf(terms, 'anthropic')).toEqual(['POST /v1/messages', 'POST /v1/responses'])
    expect(scopeOf(terms, 'groq')).toEqual(['POST /openai/v1/messages', 'POST /openai/v1/responses'])
  })
})

describe('models', () => {
  test('one within a pattern of the policy is covered', () => {
    const policies = [aPolicy({ models: ['gpt-5*', 'o4-mini'] })]
    expect(allowed(policies, aJob(), ask({ models: ['gpt-5-mini', 'gpt-5-n*'] })).scope.models).toEqual([
      'gpt-5-mini',
      'gpt-5-n*',
    ])
    expect(denied(policies, aJob(), ask({ models: ['gpt-*'] }))).toContain('models')
  })

  test('a policy that allows any lets a job narrow them, where requests name one', () => {
    expect(allowed([aPolicy()], aJob(), ask({ models: ['gpt-5-mini'] })).scope.models).toEqual(['gpt-5-mini'])
  })

  test('cannot be narrowed for a provider whose requests name none', () => {
    const policies = [aPolicy({ providers: ['openai', 'billing'] })]
    expect(denied(policies, aJob(), ask({ providers: ['openai', 'billing'], models: ['gpt-5-mini'] }))).toContain(
      'billing',
    )
  })

  test('of a policy keep a provider out whose requests name none', () => {
    const policies = [aPolicy({ providers: ['openai', 'billing'], models: ['gpt-5-mini'] })]
    expect(decided(policies, aJob(), ask({ providers: ['billing'] })).kind).toBe('denied')
  })

  test('in a path can be narrowed too', () => {
    const policies = [aPolicy({ providers: ['gemini'] })]
    const asked = ask({ providers: ['gemini'], models: ['gemini-3-flash'] })
    expect(allowed(policies, aJob(), asked).scope.models).toEqual(['gemini-3-flash'])
  })
})

describe('what a denial tells the job', () => {
  const secret = aPolicy({
    name: 'deploy',
    activations: 77,
    claims: claims({ ref: ['refs/heads/secret-plan'], environment: ['vault'] }),
    models: ['secret-model'],
  })
  const generic = denied([])

  test('nothing, where no policy names its repository: the same sentence as without any policy', () => {
    const outsider = aJob({ repository_id: '666', repository_owner_id: '66' })
    expect(denied([secret], outsider)).toBe(generic)
    expect(denied([secret], outsider, ask({ policy: 'deploy' }))).toBe(generic)
    expect(denied([secret], outsider, ask({ policy: 'no-such-policy' }))).toBe(generic)
    expect(denied([secret], outsider, ask({ activations: 78, providers: ['gone'] }))).toBe(generic)
  })

  test('nothing to another repository of an owner whose one repository is named', () => {
    const policies = [{ ...secret, repositoryOwnerIds: ['11'] }]
    expect(denied(policies, aJob({ repository_id: '102' }))).toBe(generic)
  })

  test('nothing to the repository of another issuer whose id is the same', () => {
    const policies = [{ ...secret, claims: claims({ iss: ['https://token.actions.githubusercontent.com'] }) }]
    const stranger = aJob({ iss: 'https://ghes.example.com/_services/token' })
    expect(denied(policies, stranger)).toBe(generic)
    expect(denied(policies, stranger, ask({ policy: 'deploy' }))).toBe(generic)
    expect(denied(policies, stranger, ask({ policy: 'no-such-policy' }))).toBe(generic)
    expect(denied(policies, aJob({ event_name: 'issues' }))).toContain('policy "deploy"')
  })

  test("the claim that failed and the token's own value, where its repository is named", () => {
    const sentence = denied([secret], aJob({ ref: 'refs/heads/mine' }))
    expect(sentence).toContain('ref "refs/heads/mine"')
    expect(sentence).toContain('policy "deploy"')
  })

  test('the owner that it has now, where its repository is named with another', () => {
    const policies = [{ ...secret, repositoryOwnerIds: ['99'] }]
    expect(denied(policies)).toContain('repository_owner_id "11"')
  })

  test("never a value of the policy's", () => {
    const inside = { ref: 'refs/heads/secret-plan', environment: 'vault' }
    const sentences = [
      denied([secret]),
      denied([secret], aJob({ ...inside, environment: undefined })),
      denied([secret], aJob(inside), ask({ activations: 1000 })),
      denied([secret], aJob(inside), ask({ models: ['gpt-5'] })),
      denied([secret], aJob(inside), ask({ routes: routes('POST /v1/files') })),
      denied([secret], aJob(inside), ask({ providers: ['anthropic'] })),
    ]
    for (const sentence of sentences) expect(sentence).not.toMatch(/secret-plan|vault|77|secret-model|responses/)
  })

  test('of the policy that came closest, when several name the repository', () => {
    const policies = [
      aPolicy({ name: 'far', claims: claims({ ref: ['refs/heads/release'] }) }),
      aPolicy({ name: 'close', activations: 5 }),
      aPolicy({ name: 'far-too', claims: claims({ ref: ['refs/heads/other'] }) }),
    ]
    expect(denied(policies, aJob(), ask({ activations: 6 }))).toContain('policy "close"')
  })

  test('that its repository has no policy of the name it asked for', () => {
    expect(denied([secret], aJob(), ask({ policy: 'depoly' }))).toContain('"depoly"')
  })

  test('one line, whatever the claim holds', () => {
    const sentence = denied([secret], aJob({ ref: `refs/heads/a\n::error::b"\u001b[2K\u202e${'x'.repeat(5000)}` }))
    expect(sentence).toMatch(/^[^\u0000-\u001f\u007f\u202e]{0,1000}$/)
  })
})

describe('the trace', () => {
  test('has every check of every policy that was read, with its own values', () => {
    const policies = [
      aPolicy({ name: 'a', repositoryIds: ['7'], claims: claims({ ref: ['refs/heads/next'] }) }),
      aPolicy({ name: 'b' }),
      aPolicy({ name: 'c' }),
    ]
    const { trace } = decided(policies, aJob(), ask({ activations: 10 }))
    expect(trace.filter(({ policy }) => policy === 'a').map(({ check, passed }) => [check, passed])).toEqual([
      ['repository_id', false],
      ['event_name', true],
      ['claims.ref', false],
      ['providers', true],
      ['activations', true],
    ])
    expect(trace).toContainEqual({
      policy: 'a',
      check: 'claims.ref',
      passed: false,
      expected: 'refs/heads/next',
      found: 'refs/heads/main',
    })
    expect(trace.filter(({ policy }) => policy === 'b').every(({ passed }) => passed)).toBe(true)
    expect(trace.some(({ policy }) => policy === 'c')).toBe(false)
  })
})
