/**
 * `node bench/redactor.ts [credential]`: how fast the credential is looked for, in MB a second of one core: by what the
 * answer holds and how it comes. The floor is 200 for answers that providers give, in pieces of 1 KB and more.
 */
import { credentialForms } from '#domain/credential-forms.ts'
import { redactors } from '#proxy/redactor.ts'

const FLOOR = 200
const SECONDS = 1
// With characters that encodings change, so that it has more forms than what providers give out.
const CREDENTIAL = process.argv[2] ?? 'sk-proj-Zq8/xY+3_vB5nM7wK2"pL9aQ4rT6uI8oP1sD3fG5hJ7kL0zX'
const provider = { name: 'openai', header: { name: 'authorization', before: 'Bearer ', after: '' } }
const SIZE = 4 * 1_048_576

const words = 'The quick brown fox jumps over the lazy dog, and asks what a sketch of a skipping task may cost. '
const ADVERSE = ['beginnings of the credential', 'half the credential in hex']
const contents: Readonly<Record<string, () => string>> = {
  text: () => words,
  JSON: () =>
    `data: ${JSON.stringify({ type: 'response.output_text.delta', item_id: 'msg_68a1', delta: ' token', sequence_number: 7 })}\n\n`,
  'base64 of noise': () => Buffer.from(crypto.getRandomValues(new Uint8Array(48))).toString('base64'),
  noise: () => Buffer.from(crypto.getRandomValues(new Uint8Array(64))).toString('latin1'),
  'hex of noise': () => Buffer.from(crypto.getRandomValues(new Uint8Array(64))).toString('hex'),
  // The worst that an answer can hold without the credential: beginnings, again and again. As much of a long form as is
  // looked at before a byte is passed over leaves none to pass over.
  [ADVERSE[0]!]: () => `${CREDENTIAL.slice(0, 12)} `,
  [ADVERSE[1]!]: () => `${Buffer.from(CREDENTIAL).toString('hex', 0, CREDENTIAL.length / 2)} `,
}
const pieces = { '64 KB': 65_536, '1 KB': 1024, '100 B': 100 }

console.log(
  `${credentialForms(CREDENTIAL, provider.header).length} forms of a credential of ${CREDENTIAL.length} characters\n`,
)
console.log(`| MB/s | ${Object.keys(pieces).join(' | ')} |\n|---|${'---|'.repeat(Object.keys(pieces).length)}`)
let slowest = Number.POSITIVE_INFINITY
for (const [name, make] of Object.entries(contents)) {
  const bytes = Buffer.alloc(SIZE)
  for (let at = 0; at < SIZE; ) at += bytes.write(make(), at, 'latin1')
  const speeds = Object.values(pieces).map((size) => megabytesPerSecond(bytes, size))
  if (!ADVERSE.includes(name)) slowest = Math.min(slowest, ...speeds.slice(0, 2))
  console.log(`| ${name} | ${speeds.map((speed) => Math.round(speed)).join(' | ')} |`)
}
if (slowest < FLOOR) process.exitCode = 1

function megabytesPerSecond(bytes: Buffer, size: number): number {
  const redactorFor = redactors()
  const run = () => {
    const redactor = redactorFor(provider, CREDENTIAL)
    for (let at = 0; at < bytes.length; at += size) redactor.push(bytes.subarray(at, at + size))
    redactor.end()
  }
  run()
  let rounds = 0
  const began = process.cpuUsage()
  const spent = () => {
    const { user, system } = process.cpuUsage(began)
    return (user + system) / 1_000_000
  }
  while (spent() < SECONDS) {
    run()
    rounds++
  }
  return (rounds * bytes.length) / 1_000_000 / spent()
}
