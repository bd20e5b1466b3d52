import assert from 'node:assert/strict'
import { createPublicKey, createVerify } from 'node:crypto'
import fc from 'fast-check'
import { tokenVerifier } from '#oidc/verify-id-token.ts'
import { base64url, compact, rsaKey } from '#test/oidc/forge.ts'
import { startKeyServer } from '#test/oidc/key-server.ts'
import { recordingLog } from '#test/support/recording-log.ts'
import { type Fuzzer, propertyFuzzer } from './fuzzer.ts'
import { near } from './mutate.ts'

const AUDIENCE = 'https://till.example.com'
const NOW = 1_795_000_000
const CORPUS_HEADERS = ['{"alg":"RS256","typ":"JWT","kid":"one"}', '{"alg":"RS256","kid":"one"}']
const DICTIONARY = [
  '"alg":"none",',
  '"alg":"HS256",',
  '"jwk":{},',
  '"crit":["b64"],',
  '"b64":false,',
  '"kid":"two",',
  '"aud":["https://till.example.com"],',
  '"exp":1e300,',
  '"exp":9007199254740993,',
  '"iat":-1,',
  '"jti":"",',
  '"iss":"x",',
  '\\u0061',
  '.',
  '=',
]

/** T1 to T3: signed by the issuer's real key, yet altered: what verifies is of now, for us, and reads in one way only. */
export async function tokenFuzzer(): Promise<Fuzzer> {
  const key = rsaKey('one')
  const server = await startKeyServer(key)
  const payload = JSON.stringify({
    iss: server.url,
    aud: AUDIENCE,
    jti: 'a-b',
    iat: NOW,
    nbf: NOW,
    exp: NOW + 300,
    repository_id: '101',
  })
  const verifier = tokenVerifier({
    issuers: () => [{ url: server.url, checkRunId: 'required' }],
    audience: () => AUDIENCE,
    clock: () => NOW,
    log: recordingLog(),
  })
  const genuine = compact(CORPUS_HEADERS[0]!, payload, key)
  assert.equal((await verifier.verify(genuine)).kind, 'verified')
  const signed = fc
    .tuple(near(CORPUS_HEADERS, DICTIONARY), near([payload], DICTIONARY))
    .map(([header, claims]) => compact(header, claims, key))
  const altered = near([genuine], [...DICTIONARY, base64url('{"alg":"none"}'), '-', '_', 'A', '=='])
  const inner = propertyFuzzer('token', 200, fc.oneof(signed, altered), async (token) => {
    const verified = await verifier.verify(token)
    if (verified.kind === 'refused') return
    const [header, claims, signature] = token.split('.').map((part) => Buffer.from(part, 'base64url')) as [
      Buffer,
      Buffer,
      Buffer,
    ]
    assert.equal([header, claims, signature].map((part) => part.toString('base64url')).join('.'), token)
    assert.ok(
      createVerify('sha256')
        .update(token.slice(0, token.lastIndexOf('.')))
        .verify(createPublicKey(key.privateKey), signature),
    )
    assert.equal(JSON.parse(header.toString()).alg, 'RS256')
    const read = JSON.parse(claims.toString()) as Record<'iss' | 'aud' | 'exp' | 'iat' | 'nbf', number>
    assert.deepEqual(read, { ...verified.claims })
    assert.deepEqual([read.iss, read.aud], [server.url, AUDIENCE])
    for (const time of [read.exp, read.iat, read.nbf]) assert.ok(Number.isSafeInteger(time))
    assert.ok(read.exp > NOW - 30 && read.iat <= NOW + 30 && read.iat >= NOW - 600 && read.exp - read.iat <= 900)
    // One reading: as many names as JSON.parse kept stand in the text.
    const names = claims.toString().replaceAll(/"(?:[^"\\]|\\.)*"(\s*:)?/g, (_text, colon) => (colon ? 'N' : 'v'))
    assert.equal(names.split('N').length - 1, countNames(read))
  })
  return { ...inner, close: () => server.close() }
}

function countNames(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  const own = Array.isArray(value) ? 0 : Object.keys(value).length
  return Object.values(value).reduce((sum: number, member) => sum + countNames(member), own)
}
