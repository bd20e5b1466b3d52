import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { presets } from '#domain/presets.ts'
import { canonicalPath, MAX_TARGET_BYTES, modelOfPath, parseProxyTarget } from '#domain/target.ts'

const read = (raw: string) => {
  const target = parseProxyTarget(raw)
  return target.kind === 'target' ? [target.provider, target.path, target.query] : target.code
}
const REFUSED = 'request_refused'

describe('a target is taken apart, and nothing in it is decoded', () => {
  test.each([
    ['/proxy/openai/v1/responses', ['openai', '/v1/responses', '']],
    ['/proxy/openai', ['openai', '/', '']],
    ['/proxy/openai/', ['openai', '/', '']],
    ['/proxy/openai?a=b', ['openai', '/', '?a=b']],
    ['/proxy/anthropic/v1/messages?beta=true', ['anthropic', '/v1/messages', '?beta=true']],
    [
      '/proxy/gemini/v1beta/models/gemini-3-flash:streamGenerateContent?alt=sse',
      ['gemini', '/v1beta/models/gemini-3-flash:streamGenerateContent', '?alt=sse'],
    ],
    ['/proxy/openai/v1/models?limit=20&after=m_1', ['openai', '/v1/models', '?limit=20&after=m_1']],
    ['/proxy/billing/a%20b/%C3%A9/', ['billing', '/a%20b/%C3%A9/', '']],
    ['/proxy/billing/a?q=a%20b%26c%25&path=/x/y?z', ['billing', '/a', '?q=a%20b%26c%25&path=/x/y?z']],
    ['/proxy/billing/a?', ['billing', '/a', '?']],
    ['/proxy/billing/a?include[]=x&include[]=y', ['billing', '/a', '?include[]=x&include[]=y']],
    ['/proxy/billing/a?expand=x&expand=y', ['billing', '/a', '?expand=x&expand=y']],
    ['/proxy/billing/.well-known/...', ['billing', '/.well-known/...', '']],
    ["/proxy/billing/-._~!$&'()*+,:@", ['billing', "/-._~!$&'()*+,:@", '']],
    [
      '/proxy/billing/a?page_token=x&max_tokens=5&keys=2&author=me',
      ['billing', '/a', '?page_token=x&max_tokens=5&keys=2&author=me'],
    ],
  ])('%s', (raw, expected) => {
    expect(read(raw)).toEqual(expected)
  })
})

describe('a target that could be read in two ways is refused', () => {
  test.each([
    ['not of the data plane', '/v1/keys'],
    ['absolute form', 'http://api.openai.com/proxy/openai/v1'],
    ['authority form', 'api.openai.com:443'],
    ['asterisk form', '*'],
    ['nothing', ''],
    ['two slashes before', '//proxy/openai/v1'],
    ['no provider', '/proxy/'],
    ['an empty provider', '/proxy//v1'],
    ['a provider in capitals', '/proxy/OpenAI/v1'],
    ['an escaped provider', '/proxy/%6fpenai/v1'],
    ['a provider of dots', '/proxy/../v1/keys'],
    ['an empty segment', '/proxy/openai/v1//responses'],
    ['an empty first segment', '/proxy/openai//evil.example'],
    ['a dot segment', '/proxy/openai/v1/./responses'],
    ['a dot segment at the end', '/proxy/openai/v1/.'],
    ['a parent segment', '/proxy/openai/v1/../files'],
    ['a parent segment at the end', '/proxy/openai/v1/..'],
    ['a parent segment with a query after it', '/proxy/openai/v1/..?a=b'],
    ['an escaped parent', '/proxy/openai/v1/%2e%2e/files'],
    ['a half escaped parent', '/proxy/openai/v1/.%2E/files'],
    ['an overlong dot', '/proxy/openai/v1/%c0%ae%c0%ae/files'],
    ['an overlong slash in three bytes', '/proxy/openai/v1%e0%80%affiles'],
    ['an escaped surrogate', '/proxy/openai/%ed%a0%80'],
    ['a lone continuation byte', '/proxy/openai/%80'],
    ['a cut sequence', '/proxy/openai/%e2%82'],
    ['a sequence beyond Unicode', '/proxy/openai/%f4%90%80%80'],
    ['an escaped slash', '/proxy/openai/v1%2Ffiles'],
    ['an escaped backslash', '/proxy/openai/v1%5cfiles'],
    ['an escaped NUL', '/proxy/openai/v1/a%00'],
    ['an escaped line feed', '/proxy/openai/v1/a%0a'],
    ['an escaped percent sign', '/proxy/openai/v1/%252e%252e'],
    ['an escaped semicolon', '/proxy/openai/v1/a%3bb'],
    ['an escaped letter', '/proxy/openai/v1/%66iles'],
    ['an escaped colon', '/proxy/gemini/v1/models/x%3AgenerateContent'],
    ['a semicolon', '/proxy/openai/v1/a;b'],
    ['a path parameter after dots', '/proxy/openai/..;/v1'],
    ['a backslash', '/proxy/openai\\..\\v1'],
    ['an equals sign in the path', '/proxy/openai/v1/a=b'],
    ['a fragment', '/proxy/openai/v1#a'],
    ['a fragment in the query', '/proxy/openai/v1?a=b#c'],
    ['a space', '/proxy/openai/v1 a'],
    ['a tab', '/proxy/openai/v1\ta'],
    ['a line feed', '/proxy/openai/v1\na'],
    ['a byte above ASCII', '/proxy/openai/v1/\u00e9'],
    ['a character above Latin-1', '/proxy/openai/v1/\u2215'],
    ['a percent sign alone', '/proxy/openai/v1/%'],
    ['a percent sign and one digit', '/proxy/openai/v1/%4'],
    ['a percent sign and no digits', '/proxy/openai/v1/%zz'],
    ['a broken escape in the query', '/proxy/openai/v1?a=%4'],
    ['NUL in the query', '/proxy/openai/v1?a=%00'],
    ['a semicolon in the query', '/proxy/openai/v1?a=b;key=c'],
    ['a name that is escaped twice', '/proxy/openai/v1?%256bey=b'],
    ['a name that is not UTF-8', '/proxy/openai/v1?%ff=b'],
    ['another method in the query', '/proxy/openai/v1?_method=DELETE'],
    ["another method in Google's spelling", '/proxy/gemini/v1?%24httpMethod=DELETE'],
  ])('%s', (_, raw) => {
    expect(read(raw)).toBe(REFUSED)
  })

  test('one byte above the limit, and not one that is as long', () => {
    const longest = `/proxy/openai/${'a'.repeat(MAX_TARGET_BYTES - '/proxy/openai/'.length)}`
    expect(MAX_TARGET_BYTES).toBe(4096)
    expect(read(longest)).not.toBe(REFUSED)
    expect(read(`${longest}a`)).toBe(REFUSED)
  })
})

describe('a credential in the query is refused', () => {
  test.each([
    'key',
    'KEY',
    'api_key',
    'api-key',
    'apikey',
    'apiKey',
    'API.KEY',
    'x-api-key',
    'x-goog-api-key',
    'access_token',
    'token',
    'auth',
    'authorization',
    'subscription-key',
    'client_secret',
    'password',
    '%6bey',
    '%4B%45%59',
    'ap%69_key',
    'api+key',
    'key[]',
    'key[0]',
    'key%5B%5D',
    '$key',
    '%24.key',
    '%E2%84%AAey',
  ])('%s', (name) => {
    expect(read(`/proxy/openai/v1/models?a=b&${name}=secret`)).toBe(REFUSED)
    expect(read(`/proxy/openai/v1/models?${name}`)).toBe(REFUSED)
  })

  test('and its value is not repeated', () => {
    expect(JSON.stringify(parseProxyTarget('/proxy/openai/v1?key=till_secret'))).not.toContain('till_secret')
  })
})

test('whatever is taken is the bytes that came, plain to every reader', () => {
  const unit = fc.constantFrom(...'ab/.%2eEfF5cC0;\\?#&=+[]:@ \u00e9'.split(''))
  let taken = 0
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 12 }), (rest) => {
      const target = parseProxyTarget(`/proxy/openai/${rest}`)
      if (target.kind === 'refused') return
      taken++
      expect(target.path + target.query).toBe(`/${rest}`)
      const url = new URL(`https://origin.example${target.path}`)
      expect([url.host, url.pathname, url.search, url.hash]).toEqual(['origin.example', target.path, '', ''])
      expect(decodeURIComponent(target.path).split('/')).toHaveLength(target.path.split('/').length)
    }),
    { numRuns: 20_000 },
  )
  expect(taken).toBeGreaterThan(1000)
})

describe('canonicalPath()', () => {
  test.each([
    ['anthropic', '/messages', '/v1/messages'],
    ['anthropic', '/v1/messages', '/v1/messages'],
    ['anthropic', '/v1/v1/messages', '/v1/messages'],
    ['anthropic', '/v1beta/messages', '/v1/v1beta/messages'],
    ['anthropic', '/v1', '/v1'],
    ['openai', '/responses', '/v1/responses'],
    ['groq', '/chat/completions', '/openai/v1/chat/completions'],
    ['groq', '/v1/chat/completions', '/openai/v1/chat/completions'],
    ['groq', '/openai/v1/chat/completions', '/openai/v1/chat/completions'],
    ['groq', '/openai/v1/openai/v1/chat/completions', '/openai/v1/chat/completions'],
    ['groq', '/openai/v1/v1/chat/completions', '/openai/v1/chat/completions'],
    ['openrouter', '/v1/messages', '/api/v1/messages'],
    ['fireworks', '/v1/messages', '/inference/v1/messages'],
    ['gemini', '/v1/v1/models', '/v1/v1/models'],
    ['cohere', '/v2/chat', '/v2/chat'],
  ])('%s: %s is %s', (provider, path, expected) => {
    expect(canonicalPath(presets.get(provider)!, path)).toBe(expected)
  })

  test('of a canonical path is that path', () => {
    const path = fc
      .array(fc.constantFrom('v1', 'openai', 'x', ''), { maxLength: 6 })
      .map((parts) => `/${parts.join('/')}`)
    fc.assert(
      fc.property(fc.constantFrom('/v1', '/openai/v1', '/v1/v1', null), path, (prefix, given) => {
        const once = canonicalPath({ prefix }, given)
        expect(canonicalPath({ prefix }, once)).toBe(once)
        if (prefix !== null) expect(`${once}/`.startsWith(`${prefix}/`)).toBe(true)
      }),
    )
  })
})

describe('modelOfPath()', () => {
  test.each([
    ['/v1beta/models/gemini-3-flash:generateContent', 'gemini-3-flash'],
    ['/v1/models/gemini-2.5-pro:streamGenerateContent', 'gemini-2.5-pro'],
    ['/v1beta/models/gemini-3-flash', 'gemini-3-flash'],
    ['/v1beta/tunedModels/gemini-mine:generateContent', 'tunedModels/gemini-mine'],
    ['/v1beta/models', null],
    ['/v1beta/models/:generateContent', null],
    ['/v1beta/models/a:b:generateContent', null],
    ['/v1beta/models/a/b:generateContent', null],
    ['/v1beta/models/a%20b:generateContent', null],
    ['/v1beta/projects/p/models/a:generateContent', null],
    ['/models/gemini-3-flash:generateContent', null],
  ])('%s names %s', (path, model) => {
    expect(modelOfPath(path)).toBe(model)
  })
})
