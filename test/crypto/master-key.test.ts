import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { checkMasterKey, isSealed, MasterKeyError, masterKey } from '#crypto/master-key.ts'
import { SealError, sealer } from '#crypto/seal.ts'
import { sealedRecords } from '#crypto/sealed-records.ts'
import { recordsInMemory } from '#test/support/records-in-memory.ts'

let directory: string
let file: string
let database: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'till-master-key-'))
  file = join(directory, 'master.key')
  database = join(directory, 'till.db')
})
afterEach(() => rmSync(directory, { recursive: true }))

const KEY = Uint8Array.from({ length: 32 }, (_, i) => 255 - i)
const write = (text: string, mode = 0o600) => {
  writeFileSync(file, text)
  chmodSync(file, mode)
}

describe('a master key that the configuration gives', () => {
  test('is used, and no file is made', async () => {
    expect(await masterKey(KEY, database)).toEqual(KEY)
    expect(() => statSync(file)).toThrow()
  })

  test('is copied, so that wiping one leaves the other', async () => {
    expect(await masterKey(KEY, null)).not.toBe(KEY)
  })

  test.each([0, 31, 33])('of %i bytes is refused', async (length) => {
    await expect(masterKey(new Uint8Array(length), database)).rejects.toThrow(MasterKeyError)
  })
})

describe('without one', () => {
  test('a key of 32 bytes is made beside the database, which only its owner can read', async () => {
    const key = await masterKey(null, database)
    expect(key).toHaveLength(32)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(Buffer.from(readFileSync(file, 'utf8'), 'base64')).toEqual(Buffer.from(key))
  })

  test('the next start finds the same', async () => {
    expect(await masterKey(null, database)).toEqual(await masterKey(null, database))
  })

  test('a lost file is named, and no other key takes its place', async () => {
    await expect(masterKey(null, database, true)).rejects.toThrow(/master\.key.*Restore/)
    expect(readdirSync(directory)).toEqual([])
  })

  test('ten starts at the same time end with one key', async () => {
    const keys = await Promise.all(Array.from({ length: 10 }, () => masterKey(null, database)))
    for (const key of keys) expect(key).toEqual(keys[0])
    expect(readdirSync(directory)).toEqual(['master.key'])
  })

  test('a storage that is no file needs one', async () => {
    await expect(masterKey(null, null)).rejects.toThrow(/master_key/)
  })

  test.each([0o640, 0o604, 0o620, 0o660, 0o644, 0o777])('a file of mode %o is refused', async (mode) => {
    write(Buffer.from(KEY).toString('base64'), mode)
    await expect(masterKey(null, database)).rejects.toThrow(/chmod 600/)
  })

  test('a file that only its owner can read is used, with or without a line feed', async () => {
    write(Buffer.from(KEY).toString('base64'), 0o400)
    expect(await masterKey(null, database)).toEqual(KEY)
  })

  test.each([
    ['is empty', ''],
    ['holds 31 bytes', Buffer.alloc(31, 1).toString('base64')],
    ['holds 33 bytes', Buffer.alloc(33, 1).toString('base64')],
    ['holds hex', Buffer.alloc(32, 1).toString('hex')],
    ['holds base64url', Buffer.alloc(32, 255).toString('base64url')],
    ['holds two keys', `${Buffer.alloc(32, 1).toString('base64')}\n${Buffer.alloc(32, 2).toString('base64')}`],
    ['holds a megabyte', 'A'.repeat(1024 * 1024)],
  ])('a file that %s is refused, kept, and not shown', async (_, text) => {
    write(text)
    const error: Error = await masterKey(null, database).then(
      () => expect.unreachable(),
      (error) => error,
    )
    expect(error).toBeInstanceOf(MasterKeyError)
    if (text !== '') expect(error.message).not.toContain(text.slice(0, 12))
    expect(readFileSync(file, 'utf8')).toBe(text)
  })

  test('a symbolic link is not followed', async () => {
    writeFileSync(join(directory, 'elsewhere'), Buffer.from(KEY).toString('base64'), { mode: 0o600 })
    symlinkSync(join(directory, 'elsewhere'), file)
    await expect(masterKey(null, database)).rejects.toThrow(MasterKeyError)
  })

  test('a directory in its place is refused', async () => {
    mkdirSync(file, { mode: 0o700 })
    await expect(masterKey(null, database)).rejects.toThrow(/expected a regular file/)
  })

  test('a directory that is not there is named', async () => {
    await expect(masterKey(null, join(directory, 'missing', 'till.db'))).rejects.toThrow(/missing.*ENOENT/)
  })
})

describe('the check record', () => {
  const recordsUnder = async (key: Uint8Array, stored: ReturnType<typeof recordsInMemory>) =>
    sealedRecords(stored, await sealer(key))

  test('is written at first start and opens at the next', async () => {
    const stored = recordsInMemory()
    expect(await isSealed(stored)).toBe(false)
    await checkMasterKey(await recordsUnder(KEY, stored))
    await checkMasterKey(await recordsUnder(KEY, stored))
    expect(stored.stored.size).toBe(1)
    expect(await isSealed(stored)).toBe(true)
  })

  test('refuses another master key', async () => {
    const stored = recordsInMemory()
    await checkMasterKey(await recordsUnder(KEY, stored))
    await expect(checkMasterKey(await recordsUnder(KEY.toReversed(), stored))).rejects.toThrow(SealError)
  })
})
