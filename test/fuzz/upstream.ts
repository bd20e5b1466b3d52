/**
 * Our client of HTTP/1.1 against undici: the same bytes to both, split at the same random places. Ours must read the
 * same answer or refuse it; what is well formed it must not refuse.
 *
 * Usage: node test/fuzz/upstream.ts [--seconds 60] [--seed N]
 */
import { isDeepStrictEqual, parseArgs } from 'node:util'
import { http1Upstream } from '#proxy/http1-upstream.ts'
import { type Asked, ask } from '#test/support/ask.ts'
import { type ByteServer, startByteServer } from '#test/support/byte-server.ts'
import { undiciUpstream } from '#test/support/undici-upstream.ts'

const LIMITS = { connect: 5000, firstByte: 400, streamIdle: 400 }

export interface FuzzResult {
  readonly cases: number
  readonly answered: number
  readonly refused: number
  /** Refused by ours alone. */
  readonly stricter: number
  /** What may not be, with the bytes. */
  readonly findings: readonly string[]
}

/** @param until asked with the number of cases so far; `true` ends the round */
export async function fuzzUpstream(seed: number, until: (cases: number) => boolean): Promise<FuzzResult> {
  const random = mulberry32(seed)
  const server = await startByteServer()
  const count = { cases: 0, answered: 0, refused: 0, stricter: 0 }
  const findings: string[] = []
  while (!until(count.cases)) {
    const batch = Array.from({ length: 8 }, () => makeCase(random))
    // One after the other on the server, which knows a request by its path.
    const results = await both(server, batch)
    for (const [index, one] of batch.entries()) {
      const [ours, theirs] = results[index]!
      count.cases++
      if (ours.failure) count.refused++
      else count.answered++
      if (ours.failure && !theirs.failure) count.stricter++
      const finding = judge(one, ours, theirs)
      if (finding) findings.push(`${finding}: ${JSON.stringify(one)}\n  ours ${show(ours)}\n  undici ${show(theirs)}`)
    }
  }
  await server.close()
  return { ...count, findings }
}

interface Case {
  readonly method: 'GET' | 'HEAD'
  readonly pieces: readonly string[]
  readonly isEnded: boolean
  readonly isWellFormed: boolean
}

function judge({ isWellFormed }: Case, ours: Asked, theirs: Asked): string | null {
  if (ours.failure) return isWellFormed ? 'refused what is well formed' : null
  if (theirs.failure) return 'taken, and undici refuses it'
  if (ours.status !== theirs.status || ours.body !== theirs.body) return 'read differently'
  return isDeepStrictEqual(ours.headers, theirs.headers) ? null : 'other headers'
}

const show = ({ status, headers, body, failure }: Asked) =>
  JSON.stringify({ status, headers, body: body.slice(0, 200), failure: failure?.kind })

async function both(server: ByteServer, cases: readonly Case[]): Promise<(readonly [Asked, Asked])[]> {
  const clients = [http1Upstream(LIMITS), undiciUpstream(LIMITS)]
  server.answers((socket, { received }) => {
    const number = Number(/^[A-Z]+ \/([0-9]+) /.exec(received)![1])
    const { pieces, isEnded } = cases[number]!
    let at = 0
    const next = () => {
      if (socket.destroyed) return
      const piece = pieces[at++]
      if (piece !== undefined) socket.write(piece, 'latin1', () => setImmediate(next))
      else if (isEnded) socket.end()
    }
    next()
  })
  const ours = () => clients[0]!
  const theirs = () => clients[1]!
  const results = await Promise.all(
    cases.map(async ({ method }, number) => {
      const part = { method, path: `/${number}` }
      // A connection each: what one case leaves behind must not reach the next.
      return Promise.all([ask(ours(), server.origin, part), ask(theirs(), server.origin, part)])
    }),
  )
  await Promise.all(clients.map((client) => client.close()))
  return results
}

type Random = () => number

function makeCase(random: Random): Case {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!
  const chance = (share: number) => random() < share
  const method = chance(0.1) ? 'HEAD' : 'GET'
  let isWellFormed = true
  const trap = <T>(share: number, good: T, bad: readonly T[]): T => {
    if (!chance(share)) return good
    isWellFormed = false
    return pick(bad)
  }
  const status = pick([200, 200, 200, 201, 204, 304, 400, 404, 418, 500, 599])
  const body = Array.from({ length: Math.floor(random() * 40) }, () => pick([...'ab{}"\n\r0:;'])).join('')
  let head = trap(0.04, `HTTP/1.1 ${status} OK`, STATUS_LINES)
  for (let n = Math.floor(random() * 4); n > 0; n--) head += `\r\n${trap(0.06, pick(HEADERS), BAD_HEADERS)}`
  const framing = pick(['length', 'length', 'chunked', 'chunked', 'close', 'both'])
  let bytes: string
  const interim = chance(0.1) ? 'HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n' : ''
  if (framing === 'length') {
    head += `\r\n${pick(['content-length', 'Content-Length', 'CONTENT-LENGTH'])}: ${trap(0.1, String(body.length), badLengths(body.length))}`
    if (chance(0.03)) {
      isWellFormed = false
      head += `\r\ncontent-length: ${pick([body.length, body.length + 1])}`
    }
    bytes = body
  } else if (framing === 'chunked') {
    head += `\r\nTransfer-Encoding: ${trap(0.06, pick(['chunked', 'Chunked']), BAD_ENCODINGS)}`
    bytes = ''
    for (let at = 0; at < body.length; ) {
      const size = Math.min(body.length - at, 1 + Math.floor(random() * 12))
      const hex = size.toString(16)
      const line = trap(0.05, pick([hex, `0${hex}`, hex.toUpperCase(), `${hex};a=b`, `${hex};a`]), badSizes(hex))
      bytes += `${line}${trap(0.03, '\r\n', ['\n', '\r', '\r\r\n', ''])}${body.slice(at, at + size)}${trap(0.04, '\r\n', ['\n', '', '\r', 'x\r\n', '\r\n\r\n'])}`
      at += size
    }
    bytes += `${trap(0.04, '0', ['00000', '0;x', '-0', '', '0x0', '0 '])}\r\n`
    if (chance(0.15)) bytes += `${trap(0.4, 'x-trailer: 1', TRAILERS)}\r\n`
    bytes += trap(0.04, '\r\n', ['\n', '\r', '', '\r\nHTTP/1.1 200 OK\r\n\r\n'])
  } else if (framing === 'both') {
    isWellFormed = false
    head += `\r\ncontent-length: ${body.length}\r\ntransfer-encoding: chunked`
    bytes = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
  } else bytes = body
  let all = `${interim}${head}${trap(0.03, '\r\n\r\n', ['\n\n', '\r\n\n', '\n\r\n', '\r\r\n\r\n', '\r\n'])}${bytes}`
  const bodiless = method === 'HEAD' || status === 204 || status === 304
  if (bodiless) all = all.slice(0, all.length - bytes.length)
  if (chance(0.25)) {
    isWellFormed = false
    for (let n = 1 + Math.floor(random() * 3); n > 0; n--) all = mutated(all, random)
  }
  if (chance(0.04)) {
    isWellFormed = false
    all = all.slice(0, Math.floor(random() * all.length))
  }
  const isEnded = framing === 'close' || !isWellFormed || chance(0.5)
  return { method, pieces: split(all, random), isEnded, isWellFormed }
}

const STATUS_LINES = [
  'HTTP/1.0 200 OK',
  'HTTP/1.1 200',
  'HTTP/1.1 200 ',
  'HTTP/1.1  200 OK',
  'HTTP/1.1 20 OK',
  'HTTP/1.1 2000 OK',
  'HTTP/1.1 099 OK',
  'HTTP/1.1 600 OK',
  'HTTP/1.1 101 Switching Protocols',
  'HTTP/2.0 200 OK',
  'HTTP/0.9 200 OK',
  'http/1.1 200 OK',
  'ICY 200 OK',
  'HTTP/1.1\t200 OK',
  'HTTP/1.1 200\tOK',
  'HTTP/1.1 200 O\0K',
  ' HTTP/1.1 200 OK',
  '\r\nHTTP/1.1 200 OK',
  'HTTP/1.1 200 OK\nx: y',
  'HTTP/1.1 +200 OK',
]
const HEADERS = [
  'content-type: text/event-stream',
  'X-Request-Id:req_1',
  'x-empty:',
  'x-blanks: \t a b \t ',
  'x-high: \xe9\xff',
  'connection: keep-alive',
  'Keep-Alive: timeout=5, max=100',
  'set-cookie: a=b; Path=/',
  "x!#$%&'*+.^_`|~-: token",
  `x-long: ${'y'.repeat(300)}`,
]
const BAD_HEADERS = [
  'no colon',
  ': empty name',
  'x-blank : value',
  ' x-folded: value',
  '\tfolded',
  'x-nul: a\0b',
  'x-cr: a\rb',
  'x-lf: a\nb',
  'x(y): z',
  'x\xe9: z',
  'connection: close',
  'connection: upgrade',
  'upgrade: websocket',
  'proxy-connection: close',
  'content-length: 3',
  'transfer-encoding: chunked',
  'transfer-encoding: identity',
  'content-length : 3',
  'transfer-encoding : chunked',
  'x-del: a\x7fb',
  'x-bell: \x07',
]
const badLengths = (length: number) => [
  `+${length}`,
  `-${length}`,
  `0x${length}`,
  `${length}, ${length}`,
  `${length} ${length}`,
  `${length}.0`,
  '',
  `0${length}`,
  String(length + 1),
  String(Math.max(0, length - 1)),
  '99999999999999999999',
  `${length}\t`,
  `1_0`,
]
const BAD_ENCODINGS = [
  'gzip, chunked',
  'chunked, gzip',
  'chunked, chunked',
  'xchunked',
  'chunkedx',
  'identity',
  '"chunked"',
  'chunked;q=1',
  ' chunked',
  '\tchunked',
  '\x0bchunked',
  'chunked,',
  '',
]
const badSizes = (hex: string) => [
  `+${hex}`,
  `-${hex}`,
  `0x${hex}`,
  `${hex} `,
  ` ${hex}`,
  `${hex};`,
  `${hex} ;a=b`,
  `${hex};a="b`,
  `${hex};a="b\\"c"`,
  `${hex};a=b;c="d e"`,
  `${hex};\0`,
  `${hex};a\rb`,
  `${hex};a\nb`,
  `g${hex}`,
  `${hex}g`,
  'ffffffffffffffff',
  '10000000000000000',
  '',
  `000000000000000000${hex}`,
]
const TRAILERS = [
  'content-length: 5',
  'transfer-encoding: chunked',
  'folded\r\n more: 1',
  'no colon',
  'x : y',
  'x: a\0b',
  'x: a\nb: c',
  ': y',
]

function mutated(text: string, random: Random): string {
  const at = Math.floor(random() * text.length)
  const byte = SPECIAL[Math.floor(random() * SPECIAL.length)]!
  switch (Math.floor(random() * 4)) {
    case 0:
      return text.slice(0, at) + byte + text.slice(at)
    case 1:
      return text.slice(0, at) + text.slice(at + 1)
    case 2:
      return text.slice(0, at) + byte + text.slice(at + 1)
    default: {
      const length = Math.floor(random() * 12)
      return text.slice(0, at + length) + text.slice(at)
    }
  }
}
const SPECIAL = ['\r', '\n', '\r\n', '\0', ' ', '\t', ':', ';', ',', '0', '1', 'f', '\x7f', '\xff', '"', 'HTTP/1.1 ']

function split(text: string, random: Random): string[] {
  const pieces: string[] = []
  const most = [1, 4, 20, 1000][Math.floor(random() * 4)]!
  // Byte by byte takes long: only short ones.
  for (let at = 0; at < text.length; ) {
    const length = 1 + Math.floor(random() * (text.length > 200 && most < 20 ? 20 : most))
    pieces.push(text.slice(at, at + length))
    at += length
  }
  return pieces
}

/** Repeatable by its seed (Tommy Ettinger, public domain). */
function mulberry32(seed: number): Random {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' } } })
  const seed = values.seed ? Number(values.seed) : Date.now() % 1_000_000
  const endsAt = performance.now() + Number(values.seconds) * 1000
  const { findings, ...counts } = await fuzzUpstream(seed, () => performance.now() > endsAt)
  console.log(JSON.stringify({ seed, ...counts, findings: findings.length }))
  for (const finding of findings.slice(0, 20)) console.log(finding)
  process.exitCode = findings.length > 0 ? 1 : 0
}
