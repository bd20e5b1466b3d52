import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { parseConfig, readConfigText, readSecretFile } from '#config.ts'
import { sources } from './sources.ts'

const folder = mkdtempSync(join(tmpdir(), 'till-read-file-'))
afterAll(() => rmSync(folder, { recursive: true }))
const at = (name: string) => join(folder, name)
mkdirSync(at('folder'))
writeFileSync(at('64-kib'), 'x'.repeat(65_536))
writeFileSync(at('more'), 'x'.repeat(65_537))
symlinkSync('64-kib', at('link'))
writeFileSync(at('3-mib'), '\u0628'.repeat(1_572_864))
writeFileSync(at('more-than-3-mib'), 'x'.repeat(3_145_729))
execFileSync('mkfifo', [at('pipe')])

describe('the file of a secret', () => {
  test('is read to 64 KiB, behind a link too', () => {
    expect([readSecretFile(at('64-kib')), readSecretFile(at('link'))]).toEqual(Array(2).fill('x'.repeat(65_536)))
  })

  test('whose size the system does not tell is read as well', () => {
    expect(readSecretFile('/proc/self/status')).toContain('VmPeak')
  })

  test.each([
    ['more', 'EFBIG'],
    ['folder', 'EISDIR'],
    ['none', 'ENOENT'],
    ['pipe', 'ENOTREG'],
    ['/dev/zero', 'ENOTREG'],
    ['/dev/null', 'ENOTREG'],
  ])('%s: %s, at once', (name, code) => {
    expect(() => readSecretFile(name.startsWith('/') ? name : at(name))).toThrow(expect.objectContaining({ code }))
  })

  test('that is no regular file is a problem that says so', () => {
    const source = `public_url: https://till.example.com
providers: { openai: { credential: file:/dev/zero } }
policies: [{ name: a, repository_id: "1", providers: [openai], activations: 1 }]
`
    expect(parseConfig(source, { ...sources, readFile: readSecretFile })).toMatchObject([
      { line: 2, path: 'providers.openai.credential', message: 'expected a regular file, got a device or a pipe' },
    ])
  })
})

describe('the configuration file', () => {
  test('is read to 3 MiB', () => {
    expect(readConfigText(at('3-mib'))).toHaveLength(1_572_864)
  })

  test('may be a pipe', () => {
    // Not by way of `input`, which Node gives its children as a socket.
    const child = `import { readConfigText } from '#config.ts'; process.stdout.write(readConfigText('/dev/stdin'))`
    const read = execFileSync('sh', ['-c', 'echo a: 1 | "$0" --input-type=module -e "$1"', process.execPath, child])
    expect(read.toString()).toBe('a: 1\n')
  })

  test.each([
    ['more-than-3-mib', 'EFBIG'],
    ['folder', 'EISDIR'],
    ['none', 'ENOENT'],
    ['/dev/zero', 'ENOTREG'],
  ])('%s: %s', (name, code) => {
    expect(() => readConfigText(name.startsWith('/') ? name : at(name))).toThrow(expect.objectContaining({ code }))
  })
})
