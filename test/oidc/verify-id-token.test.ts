import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { MOST_TOKEN_BYTES } from '#oidc/decode-id-token.ts'
import { type IdTokenVerifier, tokenVerifier } from '#oidc/verify-id-token.ts'
import { type Issuer, startIssuer } from '#test/support/issuer.ts'
import { recordingLog } from '#test/support/recording-log.ts'
import { base64url, compact, rsaKey } from './forge.ts'
import { type KeyServer, startKeyServer } from './key-server.ts'

const AUDIENCE = 'https://till.example.com'
const NOW = 1_795_000_000
const key = rsaKey('key-1')
const another = rsaKey('key-1')

let keyServer: KeyServer
let verifier: IdTokenVerifier
let log: ReturnType<typeof recordingLog>
let now = NOW

beforeAll(async () => {
  keyServer = await startKeyServer(key)
})
afterAll(() => keyServer.close())
beforeEach(() => {
  now = NOW
  log = recordingLog()
  keyServer.requests.length = 0
  verifier = tokenVerifier({
    issuers: () => [{ url: keyServer.url, checkRunId: 'required' }],
    audience: () => AUDIENCE,
    clock: () => now,
    log,
  })
})

type Members = Readonly<Record<string, unknown>>

const HEADER: Members = { alg: 'RS256', typ: 'JWT', kid: 'key-1' }
const claims = (): Members => ({
  iss: keyServer.url,
  aud: AUDIENCE,
  jti: '4f2c0f3e-7d53-4a2b-9a5e-9a8f0f1b2c3d',
  iat: NOW,
  nbf: NOW,
  exp: NOW + 300,
  repository_id: '101',
})
const token = (payload: Members = {}, header: Members = {}): string =>
  compact(JSON.stringify({ ...HEADER, ...header }), JSON.stringify({ ...claims(), ...payload }), key)
const parts = (text: string) => text.split('.') as [string, string, string]

describe('a genuine token', () => {
  let issuer: Issuer

  beforeAll(async () => {
    issuer = await startIssuer()
  })
  afterAll(() => issuer.close())

  test('of a configured issuer verifies, with its claims, its jti and what the configuration says of the issuer', async () => {
    const genuine = tokenVerifier({
      issuers: () => [{ url: issuer.url, checkRunId: 'optional' }],
      audience: () => AUDIENCE,
      clock: () => Date.now() / 1000,
      log,
    })
    const verified = await genuine.verify(await issuer.token({ aud: AUDIENCE, jti: 'one', repository_id: '102' }))
    expect(verified).toMatchObject({ kind: 'verified', jti: 'one', checkRunId: 'optional' })
    expect(verified).toMatchObject({ claims: { iss: issuer.url, aud: AUDIENCE, repository_id: '102' } })
  })

  test('of an issuer that is not configured is refused, and its issuer is not asked', async () => {
    expect(await verifier.verify(await issuer.token({ aud: AUDIENCE }))).toMatchObject({ code: 'token_invalid' })
    expect(keyServer.requests).toEqual([])
  })

  test('is refused for the audience of another broker', async () => {
    const other = tokenVerifier({
      issuers: () => [{ url: issuer.url, checkRunId: 'required' }],
      audience: () => 'https://staging.example.com',
      clock: () => Date.now() / 1000,
      log,
    })
    expect(await other.verify(await issuer.token({ aud: AUDIENCE }))).toMatchObject({ code: 'token_invalid' })
  })
})

describe('accepted', () => {
  test.each<[string, () => string, number]>([
    ['a token as GitHub makes it', () => token(), NOW],
    ['no typ', () => compact('{"alg":"RS256","kid":"key-1"}', JSON.stringify(claims()), key), NOW],
    ['x5t, which GitHub sends', () => token({}, { x5t: 'eBZ_cn3sXYAd0ch4THBKHIgOwOE' }), NOW],
    ['claims that are not known', () => token({ repo_property_team: 'a:b', deep: { list: [{}, ':"'] } }), NOW],
    ['escaped quotes and colons in claims', () => token({ ref: 'refs/heads/"a":{"b":\\' }), NOW],
    ['nbf before iat, as GitHub has had it', () => token({ nbf: NOW - 600 }), NOW],
    ['expired for 29 s', () => token(), NOW + 329],
    ['issued 30 s ahead of our clock', () => token({ iat: NOW + 30, nbf: NOW + 30 }), NOW],
    ['10 minutes old', () => token({ exp: NOW + 900 }), NOW + 600],
  ])('%s', async (_, make, at) => {
    now = at
    expect(await verifier.verify(make())).toMatchObject({ kind: 'verified' })
  })
})

describe('refused as token_invalid', () => {
  const unsigned = (header: Members) => `${base64url(JSON.stringify(header))}.${base64url(JSON.stringify(claims()))}`
  const raw = (header: string, payload: string) => compact(header, payload, key)
  const rawPayload = (change: (text: string) => string) => raw(JSON.stringify(HEADER), change(JSON.stringify(claims())))
  const rawHeader = (change: (text: string) => string) => raw(change(JSON.stringify(HEADER)), JSON.stringify(claims()))
  const as = (alg: 'RS384' | 'PS256' | 'HS256', named: string = alg) =>
    compact(JSON.stringify({ ...HEADER, alg: named }), JSON.stringify(claims()), key, alg)
  const without = (name: string) => token({ [name]: undefined })
  const flipped = (text: string) => {
    const [header, payload, signature] = parts(text)
    const bytes = Buffer.from(signature, 'base64url')
    bytes[100]! ^= 1
    return `${header}.${payload}.${base64url(bytes)}`
  }
  /** Another text for the same bytes: the last digit's unused bits are set. */
  const trailingBits = (text: string) => {
    const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    return text.slice(0, -1) + digits[digits.indexOf(text.at(-1)!) + 1]
  }

  test.each<[string, string, () => string]>([
    ['form', 'T1: alg none, without a signature', () => `${unsigned({ ...HEADER, alg: 'none' })}.`],
    ['alg', 'T1: alg none, with a signature', () => token({}, { alg: 'none' })],
    ['alg', 'T1: alg nOnE', () => `${unsigned({ ...HEADER, alg: 'nOnE' })}.AA`],
    ['alg', 'T1: HS256 with the public key as the secret', () => as('HS256')],
    ['signature', 'T1: HS256 with the public key, called RS256', () => as('HS256', 'RS256')],
    ['alg', 'T1: RS384 of the right key', () => as('RS384')],
    ['signature', 'T1: RS384 of the right key, called RS256', () => as('RS384', 'RS256')],
    ['alg', 'T1: PS256 of the right key', () => as('PS256')],
    ['signature', 'T1: PS256 of the right key, called RS256', () => as('PS256', 'RS256')],
    ['alg', 'T1: alg rs256', () => token({}, { alg: 'rs256' })],
    ['alg', 'T1: alg a list', () => token({}, { alg: ['RS256'] })],
    ['alg', 'T1: no alg', () => token({}, { alg: undefined })],
    [
      'signature',
      'T1: another key under the same kid',
      () => compact(JSON.stringify(HEADER), JSON.stringify(claims()), another),
    ],
    ['signature', 'T1: signature changed', () => flipped(token())],
    [
      'signature',
      'T1: signature of another token',
      () =>
        `${parts(token({ jti: 'b' }))
          .slice(0, 2)
          .join('.')}.${parts(token())[2]}`,
    ],
    [
      'refused_header',
      'T1: embedded jwk',
      () => compact(JSON.stringify({ ...HEADER, jwk: another.jwk }), JSON.stringify(claims()), another),
    ],
    ['refused_header', 'T1: embedded jwk beside a right signature', () => token({}, { jwk: key.jwk })],
    ['refused_header', 'T1: jku', () => token({}, { jku: `${keyServer.url}/jwks` })],
    ['refused_header', 'T1: x5u', () => token({}, { x5u: `${keyServer.url}/x5u` })],
    ['refused_header', 'T1: x5c', () => token({}, { x5c: ['MIIB'] })],
    ['refused_header', 'T1: crit', () => token({}, { crit: ['exp'] })],
    ['refused_header', 'T1: crit, empty', () => token({}, { crit: [] })],
    ['refused_header', 'T1: b64', () => token({}, { b64: true })],
    ['refused_header', 'T1: b64 false with crit', () => token({}, { b64: false, crit: ['b64'] })],
    ['refused_header', 'T1: jwk null', () => token({}, { jwk: null })],
    ['unknown_kid', 'T1: kid __proto__', () => token({}, { kid: '__proto__' })],
    ['unknown_kid', 'T1: kid constructor', () => token({}, { kid: 'constructor' })],
    [
      'kid',
      'T1: kid by way of __proto__',
      () => raw('{"alg":"RS256","__proto__":{"kid":"key-1"}}', JSON.stringify(claims())),
    ],
    ['unknown_kid', 'T1: kid as a path', () => token({}, { kid: '../../dev/null' })],
    ['kid', 'T1: kid empty', () => token({}, { kid: '' })],
    ['kid', 'T1: kid a number', () => token({}, { kid: 1 })],
    ['kid', 'T1: kid a list of the right one', () => token({}, { kid: ['key-1'] })],
    ['kid', 'T1: kid of 300 characters', () => token({}, { kid: 'k'.repeat(300) })],
    ['kid', 'T1: no kid', () => token({}, { kid: undefined })],
    ['header', 'T1: duplicate kid', () => rawHeader((text) => text.replace('{', '{"kid":"key-0",'))],
    ['header', 'T1: duplicate alg', () => rawHeader((text) => text.replace('{', '{"alg":"none",'))],
    ['header', 'T1: duplicate alg, one escaped', () => rawHeader((text) => text.replace('{', '{"\\u0061lg":"none",'))],
    [
      'payload',
      'T1: duplicate aud',
      () => rawPayload((text) => text.replace('{', '{"aud":"https://github.com/acme",')),
    ],
    [
      'payload',
      'T1: duplicate claim inside a claim',
      () => rawPayload((text) => text.replace('{', '{"x":[{"a":1,"a":2}],')),
    ],
    [
      'payload',
      'T1: duplicate __proto__',
      () => rawPayload((text) => text.replace('{', '{"__proto__":1,"__proto__":2,')),
    ],
    ['header', 'T1: header is a list', () => raw('["RS256"]', JSON.stringify(claims()))],
    ['header', 'T1: header is null', () => raw('null', JSON.stringify(claims()))],
    ['header', 'T1: header is no JSON', () => raw('{', JSON.stringify(claims()))],
    ['payload', 'T1: payload is a string', () => raw(JSON.stringify(HEADER), '"iss"')],
    ['payload', 'T1: payload with a comment after it', () => rawPayload((text) => `${text}//`)],
    ['payload', 'T1: payload with a byte order mark', () => rawPayload((text) => `\ufeff${text}`)],
    [
      'payload',
      'T1: payload with a lone surrogate',
      () => rawPayload((text) => text.replace('{', '{"ref":"\\ud800",')),
    ],
    [
      'payload',
      'T1: payload nested 100 deep',
      () => rawPayload((text) => text.replace('{', `{"x":${'['.repeat(100)}${']'.repeat(100)},`)),
    ],
    ['form', 'T1: base64url with trailing bits', () => trailingBits(token())],
    ['form', 'T1: base64url with padding', () => `${token()}==`],
    [
      'form',
      'T1: base64 of the other alphabet',
      () => `${parts(token()).slice(0, 2).join('.')}.+${parts(token())[2].slice(1)}`,
    ],
    ['form', 'T1: white space before it', () => ` ${token()}`],
    ['form', 'T1: line feed after it', () => `${token()}\n`],
    ['form', 'T1: NUL inside', () => token().replace('.', '\u0000.')],
    ['form', 'T1: not ASCII', () => token().replace('.', 'é.')],
    ['form', 'T1: a comma and a second token', () => `${token()},${token()}`],
    ['form', 'T1: Bearer twice', () => `Bearer ${token()}`],
    ['form', 'T1: two parts', () => parts(token()).slice(0, 2).join('.')],
    ['form', 'T1: five parts (JWE)', () => `${token()}.AA.AA`],
    ['form', 'T1: an empty part', () => `${parts(token())[0]}..${parts(token())[2]}`],
    [
      'form',
      'T1: JSON serialisation',
      () => JSON.stringify({ payload: parts(token())[1], signature: parts(token())[2] }),
    ],
    ['form', 'T1: nothing', () => ''],
    ['typ', 'T2: typ at+jwt', () => token({}, { typ: 'at+jwt' })],
    ['typ', 'T2: typ jwt', () => token({}, { typ: 'jwt' })],
    ['typ', 'T2: typ null', () => token({}, { typ: null })],
    ['aud_form', 'T2: aud a list that holds ours', () => token({ aud: [AUDIENCE, 'https://github.com/acme'] })],
    ['aud_form', 'T2: aud a list of ours alone', () => token({ aud: [AUDIENCE] })],
    ['aud', 'T2: aud another', () => token({ aud: 'https://github.com/acme' })],
    ['aud', 'T2: aud with a trailing slash', () => token({ aud: `${AUDIENCE}/` })],
    ['aud', 'T2: aud in capitals', () => token({ aud: AUDIENCE.toUpperCase() })],
    ['aud', 'T2: aud that begins like ours', () => token({ aud: `${AUDIENCE}.evil.example` })],
    ['aud_form', 'T2: no aud', () => without('aud')],
    ['issuer', 'T2: iss with a trailing slash', () => token({ iss: `${keyServer.url}/` })],
    ['issuer', 'T2: iss with a path', () => token({ iss: `${keyServer.url}/acme` })],
    ['issuer', 'T2: iss a list', () => token({ iss: [keyServer.url] })],
    ['issuer', 'T2: no iss', () => without('iss')],
    ['time_form', 'T3: no exp', () => without('exp')],
    ['time_form', 'T3: exp 1e300', () => token({ exp: 1e300 })],
    ['time_form', 'T3: exp beyond all numbers', () => rawPayload((text) => text.replace(/"exp":\d+/, '"exp":1e999'))],
    ['time_form', 'T3: exp a string', () => token({ exp: String(NOW + 300) })],
    ['time_form', 'T3: exp a fraction', () => token({ exp: NOW + 300.5 })],
    ['time_form', 'T3: exp null', () => token({ exp: null })],
    ['expired', 'T3: exp negative', () => token({ exp: -1 })],
    ['expired', 'T3: expired for 30 s', () => token({ iat: NOW - 330, nbf: NOW - 330, exp: NOW - 30 })],
    ['lifetime', 'T3: lives longer than 15 minutes', () => token({ exp: NOW + 901 })],
    ['lifetime', 'T3: endless', () => token({ exp: NOW + 315_360_000 })],
    ['lifetime', 'T3: ends before it begins', () => token({ exp: NOW - 10, iat: NOW })],
    ['too_old', 'T3: older than 10 minutes', () => token({ iat: NOW - 601, nbf: NOW - 601, exp: NOW + 200 })],
    ['time_form', 'T3: no iat', () => without('iat')],
    ['time_form', 'T3: iat a string', () => token({ iat: String(NOW) })],
    ['issued_ahead', 'T3: iat 31 s ahead', () => token({ iat: NOW + 31, exp: NOW + 300 })],
    ['issued_ahead', 'T3: iat in a year', () => token({ iat: NOW + 31_536_000, nbf: NOW, exp: NOW + 31_536_300 })],
    ['time_form', 'T3: no nbf', () => without('nbf')],
    ['not_yet_valid', 'T3: nbf 31 s ahead', () => token({ nbf: NOW + 31 })],
    ['time_form', 'T3: nbf true', () => token({ nbf: true })],
    ['jti_form', 'T4: no jti', () => without('jti')],
    ['jti_form', 'T4: jti a number', () => token({ jti: 1 })],
    ['jti_form', 'T4: jti empty', () => token({ jti: '' })],
    ['jti_form', 'T4: jti of 257 characters', () => token({ jti: 'j'.repeat(257) })],
    ['jti_form', 'T4: jti with a line feed', () => token({ jti: 'a\nb' })],
    ['size', 'T56: 9 KiB', () => token({ padding: 'x'.repeat(9 * 1024) })],
    ['size', 'T56: a megabyte of parts', () => '.'.repeat(1024 * 1024)],
  ])('%s: %s', async (reason, _, make) => {
    const forged = make()
    const answer = await verifier.verify(forged)
    expect(answer).toMatchObject({ kind: 'refused', code: 'token_invalid' })
    expect(log.lines.at(-1)).toContain(`"reason":"${reason}"`)
    expect(answer).toEqual(await verifier.verify('no token'))
    if (forged.length > 20) expect(log.lines.join()).not.toContain(forged.slice(-20))
  })
})

test('a token of 8 KiB is read, and one character more is not', async () => {
  const ofLength = (length: number): string => {
    for (let kid = 0; kid < 4; kid++) {
      const least = token({ padding: '' }, { x5t: 'x'.repeat(kid) }).length
      const made = token({ padding: 'x'.repeat(Math.floor(((length - least) * 3) / 4)) }, { x5t: 'x'.repeat(kid) })
      if (made.length === length) return made
    }
    return expect.unreachable()
  }
  expect(await verifier.verify(ofLength(MOST_TOKEN_BYTES))).toMatchObject({ kind: 'verified' })
  expect(await verifier.verify(ofLength(MOST_TOKEN_BYTES + 1))).toMatchObject({ code: 'token_invalid' })
  expect(log.lines.join()).toContain('"size"')
})

test('claims are looked at only after the signature: a forger learns nothing from the clock or the audience', async () => {
  const forged = compact(JSON.stringify(HEADER), JSON.stringify({ ...claims(), aud: 'x', exp: 1 }), another)
  await verifier.verify(forged)
  expect(log.lines.join()).toContain('"signature"')
})

test('T12: nothing is fetched for a token whose issuer is not configured, whatever it names', async () => {
  const elsewhere = await startKeyServer(key)
  try {
    for (const header of [{}, { jku: `${elsewhere.url}/jwks` }, { x5u: `${elsewhere.url}/jwks` }])
      await verifier.verify(token({ iss: elsewhere.url, jwks_uri: `${elsewhere.url}/jwks` }, header))
    expect([...elsewhere.requests, ...keyServer.requests]).toEqual([])
  } finally {
    await elsewhere.close()
  }
})

test('T1: a key of one issuer is no key of another, under whatever kid', async () => {
  const other = rsaKey('key-1')
  const elsewhere = await startKeyServer(other)
  try {
    const both = tokenVerifier({
      issuers: () => [
        { url: keyServer.url, checkRunId: 'required' },
        { url: elsewhere.url, checkRunId: 'optional' },
      ],
      audience: () => AUDIENCE,
      clock: () => now,
      log,
    })
    expect(await both.verify(token())).toMatchObject({ kind: 'verified', checkRunId: 'required' })
    expect(await both.verify(token({ iss: elsewhere.url }))).toMatchObject({ code: 'token_invalid' })
  } finally {
    await elsewhere.close()
  }
})

test('an issuer that a reload took away is trusted no more', async () => {
  let issuers = [{ url: keyServer.url, checkRunId: 'required' as const }]
  const reloaded = tokenVerifier({ issuers: () => issuers, audience: () => AUDIENCE, clock: () => now, log })
  expect(await reloaded.verify(token())).toMatchObject({ kind: 'verified' })
  issuers = []
  expect(await reloaded.verify(token())).toMatchObject({ code: 'token_invalid' })
})

test('T56: a flood of refused tokens is one line a second and reason, with their number', async () => {
  for (let i = 0; i < 100; i++) await verifier.verify('no token')
  await verifier.verify(token({}, { alg: 'none' }))
  now += 1
  await verifier.verify('no token')
  expect(log.lines.map((line) => JSON.parse(line).fields)).toEqual([
    { reason: 'form', issuer: null, count: 1 },
    { reason: 'alg', issuer: null, count: 1 },
    { reason: 'form', issuer: null, count: 100 },
  ])
})
