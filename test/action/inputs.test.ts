import { afterEach, expect, test, vi } from 'vitest'
import { readInputs, readReportInputs } from '#action/inputs.ts'

afterEach(() => vi.unstubAllEnvs())

const least = { broker: 'https://till.example.com', provider: 'openai' }

function given(inputs: Record<string, string>) {
  for (const [name, value] of Object.entries({ ...least, ...inputs })) vi.stubEnv(`INPUT_${name.toUpperCase()}`, value)
}

function read(inputs: Record<string, string>) {
  given(inputs)
  return readInputs()
}

test.each([
  ['https://till.example.com', 'https://till.example.com', 'https://till.example.com'],
  ['https://till.example.com/', 'https://till.example.com', 'https://till.example.com'],
  ['HTTPS://Till.Example.COM:443', 'https://till.example.com', 'https://till.example.com'],
  ['https://example.com:8443/till/', 'https://example.com:8443/till', 'https://example.com:8443'],
  ['http://127.0.0.1:4100', 'http://127.0.0.1:4100', 'http://127.0.0.1:4100'],
  ['http://[::1]:4100/x', 'http://[::1]:4100/x', 'http://[::1]:4100'],
])('broker %s is used as %s with the audience %s', (broker, used, audience) => {
  expect(read({ broker })).toMatchObject({ broker: used, audience })
})

test.each([
  'http://till.example.com',
  'http://localhost:4100',
  'http://127.0.0.1.example.com',
  'http://127.0.0.1@example.com',
  'http://127.1',
  'http://2130706433',
  'http://0x7f000001',
  'http://127.0.0.2',
  'http://[::ffff:127.0.0.1]',
  'http://[0:0:0:0:0:0:0:1]',
  'http://10.0.0.1',
  'https://user@till.example.com',
  'https://user:password@till.example.com',
  'https://till.example.com?x',
  'https://till.example.com/?',
  'https://till.example.com#x',
  'https://till.example.com/#',
  'https:/till.example.com',
  'https:till.example.com',
  'https:\\\\till.example.com',
  'https://till.example.com\\@evil.example',
  'https://till.example.com/a b',
  'https://till.example.com/%2e%2e',
  'https://till.exa\nmple.com',
  'https://tïll.example.com',
  'till.example.com',
  'ftp://till.example.com',
  'file:///etc/passwd',
  'javascript:alert(1)',
  'https://',
])('broker %j is refused', (broker) => {
  expect(() => read({ broker })).toThrow(/^Cannot use the input broker/)
})

test.each([
  'https://ci:Hunter2@till.example.com',
  'http://ci:Hunter2@till.example.com',
  'https://ci:Hunter2/@x@till.example.com',
  'https://ci:Hunter2\n@till.example.com',
  'ci:Hunter2@till.example.com',
  'Hunter2://ci@till.example.com',
])('of the broker %j the part before the @ is not repeated', (broker) => {
  expect(() => read({ broker })).toThrow(/^Cannot use the input broker, "(https?:\/\/)?…@till\.example\.com": /)
  expect(() => read({ broker })).not.toThrow('Hunter2')
})

test('a proxy that cannot be used is named with the other inputs that are wrong, without its password', () => {
  vi.stubEnv('https_proxy', '')
  vi.stubEnv('HTTPS_PROXY', 'http://ci:Hunter2/secret@proxy.example.com:3128')
  expect(() => read({ comment: 'x' })).toThrow(/^Cannot reach the broker through a proxy: HTTPS_PROXY .*\n.*comment/)
  expect(() => read({})).not.toThrow('Hunter2')
})

test.each([
  ['openai', ['openai']],
  ['openai,anthropic', ['openai', 'anthropic']],
  ['openai, anthropic gemini\n billing-2 ,,', ['openai', 'anthropic', 'gemini', 'billing-2']],
  ['openai openai', ['openai']],
])('provider %j is %j', (provider, providers) => {
  expect(read({ provider }).request.providers).toEqual(providers)
})

test.each([
  ['1800', 1800],
  ['90s', 90],
  ['30m', 1800],
  ['1h', 3600],
  ['168h', 604_800],
])('expires-in %s is %i seconds', (given, seconds) => {
  expect(read({ 'expires-in': given }).request.expires_in).toBe(seconds)
})

test.each<[string, string]>([
  ['provider', 'OpenAI'],
  ['provider', '../x'],
  ['provider', 'open_ai'],
  ['activations', '0'],
  ['activations', '-1'],
  ['activations', '1.5'],
  ['activations', '1e3'],
  ['activations', '0x10'],
  ['activations', '1000000001'],
  ['activations', 'ten'],
  ['policy', 'a b'],
  ['policy', '::error::x'],
  ['routes', '/v1/responses'],
  ['routes', 'POST v1'],
  ['routes', 'post /v1'],
  ['routes', 'POST /a b'],
  ['models', 'm\u00fcller'],
  ['expires-in', '0'],
  ['expires-in', '30 m'],
  ['expires-in', '1d'],
  ['expires-in', '1h30m'],
  ['expires-in', '169h'],
  ['expires-in', '-5'],
  ['audience', 'a b'],
  ['export-env', 'yes'],
  ['agent', 'cursor'],
  ['agent', 'codex-cli'],
  ['agent', 'constructor'],
  ['summary', '1'],
  ['comment', 'sometimes'],
  ['comment', 'never always'],
  ['fail-on', 'refused denied'],
])('%s %j is refused, and the input is named', (name, value) => {
  expect(() => read({ [name]: value })).toThrow(`input ${name}`)
})

test('what an input says is printed without commands and cut', () => {
  const value = `x\n::add-path::/tmp${'y'.repeat(1000)}`
  const attempt = () => read({ 'fail-on': value, policy: value })
  expect(attempt).toThrow()
  try {
    attempt()
  } catch (error) {
    for (const line of String(error).split('\n')) {
      expect(line).not.toMatch(/::|^\s*::/)
      expect(line.length).toBeLessThan(300)
    }
  }
})

test('every input that is wrong is named at once', () => {
  expect(() => read({ broker: 'x', provider: '', 'export-env': 'x', agent: 'x' })).toThrow(
    /broker.*\n.*provider.*\n.*export-env.*\n.*agent/,
  )
})

test('those that the broker is asked for are each named, whatever is wrong with the others', () => {
  const wrong = {
    provider: 'OpenAI',
    policy: 'a b',
    activations: '0',
    'expires-in': '0',
    routes: 'post /v1',
    models: 'm\u00fcller',
    comment: 'never always',
  }
  given(wrong)
  let message = ''
  try {
    readInputs()
  } catch (error) {
    message = String(error)
  }
  const named = message.split('\n').map((line) => /the input ([a-z-]+)/.exec(line)?.[1])
  expect(named.toSorted()).toEqual(Object.keys(wrong).toSorted())
})

test('one that is required and missing hides no other', () => {
  expect(() => read({ provider: '', policy: 'a b' })).toThrow(/provider\.\n.*input policy/)
})

test('a word that is given twice is one', () => {
  given({ comment: 'never never' })
  expect(readReportInputs().comment).toBe('never')
})

test('booleans are read as YAML writes them', () => {
  expect(read({ 'export-env': 'False' }).exportEnv).toBe(false)
  expect(read({ 'export-env': 'TRUE' }).exportEnv).toBe(true)
  expect(read({ 'export-env': '' }).exportEnv).toBe(true)
})

test('the audience is what the input says, whatever the broker is', () => {
  expect(read({ audience: 'api://till' }).audience).toBe('api://till')
})

test('a custom provider whose variables something else reads is refused, unless none are exported', () => {
  expect(() => read({ provider: 'github' })).toThrow('GITHUB_API_KEY is read by something else')
  expect(read({ provider: 'github', 'export-env': 'false' }).request.providers).toEqual(['github'])
})

test('without inputs post writes a summary and fails on nothing', () => {
  given({})
  expect(readReportInputs()).toEqual({ summary: true, comment: 'auto', failOn: [] })
})
